"""Figures of whole searches: wall time, start of a trial, share of useful time, memory, disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks.speed.rows import (
    Row,
    Spread,
    Target,
    at_least,
    at_most,
    ratio_row,
    value_row,
)
from benchmarks.speed.settings import BenchmarkContext

PEER = '`hyperparameter_search("ray")`'
PLAIN = "plain PyTorch loop"
BATCH = 32
F1_TOLERANCE = 0.005
"""F1 that counts as equal, in the mean over the seeds."""

Result = Mapping[str, Any]


def configurations(number: int, seed: int) -> list[dict[str, float]]:
    """Learning rates and weight decays that all arms try, in this order."""
    draw = np.random.default_rng([seed, number])
    return [
        {
            "learning_rate": float(np.exp(draw.uniform(np.log(3e-4), np.log(5e-3)))),
            "weight_decay": float(draw.uniform(0.0, 0.2)),
        }
        for _ in range(number)
    ]


def study_options(
    context: BenchmarkContext, configs: Sequence[Mapping[str, float]], algorithm: str, seed: int
) -> dict[str, Any]:
    """A study of ours that tries given configurations: they are its points to evaluate."""
    ranges = {"learning_rate": (1e-4, 1e-2, "loguniform"), "weight_decay": (0.0, 0.2, "uniform")}
    parameters = {
        name: {"low": low, "high": high, "type": kind} for name, (low, high, kind) in ranges.items()
    }
    space = {
        "parameters": parameters,
        "fixed": {"epochs": context.sizes.epochs, "evals_per_epoch": 1, "batch_size": BATCH},
        "points_to_evaluate": list(configs),
    }
    return {"algorithm": algorithm, "trials": len(configs), "seed": seed, "space": space}


def measure_search(
    context: BenchmarkContext, trials: int, epoch_s: float, limit: float, repeat: int
) -> list[Row]:
    """Our search, the same trials in a plain loop, and the Trainer's search, ``repeat`` times in turn."""
    fixture, actual_s = context.fixture_for_epoch_time(epoch_s)
    contestants: dict[str, list[Result]] = {"ours": [], "plain": [], "peer": []}
    for repetition in range(repeat):
        seed = context.seed + repetition
        configs = configurations(trials, seed)
        common = {"epochs": context.sizes.epochs, "seed": seed, "configs": configs}
        options = {"encoded": str(fixture.encoded), "study": study_options(context, configs, "asha", seed)}
        contestants["ours"].append(context.contestant("our search", options, ours=True))
        peer = common | {"fixture": str(fixture.folder), "scheduler": "asha"}
        contestants["peer"].append(context.contestant("hyperparameter_search", peer))
        follow = {
            "epochs_by_trial": contestants["ours"][-1]["epochs_by_trial"],
            "encoded": str(fixture.encoded),
        }
        contestants["plain"].append(context.contestant("plain loop", common | follow))
    title = f"{trials} trials, {actual_s:.1f} s epochs"
    return _search_rows(contestants, title, at_most(limit), trials, context.workers)


def _search_rows(
    contestants: Mapping[str, Sequence[Result]], title: str, limit: Target, trials: int, workers: int
) -> list[Row]:
    ours, plain, peer = (contestants[name] for name in ("ours", "plain", "peer"))
    work = (
        f"{_distinct(ours, 'trials')} / {_distinct(peer, 'trials')} trials, {_distinct(ours, 'epochs')} / "
        f"{_distinct(peer, 'epochs')} epochs, best dev F1 {_mean(ours, 'best_f1')} / {_mean(peer, 'best_f1')}"
    )
    followed = (
        f"{_distinct(plain, 'trials')} trials, {_distinct(plain, 'epochs')} epochs, best dev F1 "
        f"{_mean(plain, 'best_f1')}"
    )
    alike = all(found["trials"] == trials for found in (*ours, *peer))
    same_epochs = all(a["epochs"] == b["epochs"] for a, b in zip(ours, plain, strict=True))
    per_epoch = [[found["search_s"] / found["epochs"] for found in contestant] for contestant in (ours, peer)]
    differences = [a["best_f1"] - b["best_f1"] for a, b in zip(ours, peer, strict=True)]
    difference = Row(
        f"best dev F1 apart, {title}",
        PEER,
        Spread.of([100 * abs(fmean(differences))]),
        Spread.of([100 * each["best_f1"] for each in ours]),
        Spread.of([100 * each["best_f1"] for each in peer]),
        "points",
        at_most(100 * F1_TOLERANCE),
        f"mean over {len(differences)} seeds",
    )
    rows = [
        ratio_row(
            f"search, {title}",
            PEER,
            _values(ours, "search_s"),
            _values(peer, "search_s"),
            asked=limit,
            work=work,
            alike=alike,
        ),
        ratio_row(
            f"the same, per epoch trained, {title}", PEER, *per_epoch, asked=limit, work=work, alike=alike
        ),
        ratio_row(
            f"the same, whole command, {title}",
            PEER,
            _values(ours, "command_s"),
            _values(peer, "command_s"),
            work=work,
        ),
        difference,
        ratio_row(
            f"search, {title}",
            PLAIN,
            _values(ours, "search_s"),
            _values(plain, "search_s"),
            asked=at_most(1.08),
            work=followed,
            alike=same_epochs,
        ),
        ratio_row(
            f"the same, from the first trial's start, all imported, {title}",
            PLAIN,
            _values(ours, "span_s"),
            _values(plain, "search_s"),
            work=followed,
            alike=same_epochs,
        ),
        value_row(
            f"the same, share of the workers' time that is training or evaluation, {title}",
            utilization(ours, workers),
            unit="",
        ),
    ]
    if all(found["gaps_s"] for found in (*ours, *peer)):
        trial_gaps = [[median(found["gaps_s"]) for found in contestant] for contestant in (ours, peer)]
        inside = [
            [median(found["inside_s"][workers:] or found["inside_s"]) for found in contestant]
            for contestant in (ours, peer)
        ]
        rows += [
            ratio_row(
                f"end of a trial to first step of the next in its place, {title}",
                PEER,
                *trial_gaps,
                asked=at_most(0.1),
                work=f"{_count_gaps(ours)} / {_count_gaps(peer)} starts, medians",
            ),
            ratio_row(
                f"the same, inside the worker: trial's call to first step, {title}",
                PEER,
                *inside,
                work="all trials but the first of each worker",
            ),
        ]
    return rows


def utilization(found: Sequence[Result], workers: int) -> list[float]:
    """Training and evaluation of all trials, of what the workers had from the first trial to the last."""
    return [each["work_s"] / (workers * each["span_s"]) for each in found]


def measure_utilization(context: BenchmarkContext, repeat: int) -> list[Row]:
    """The demo as `make hpo ALG=asha TRIALS=50` has it, whatever corpus the other figures are taken on."""
    study = {"data": "demo", "algorithm": "asha", "trials": context.sizes.demo_trials}
    found = [
        context.contestant("our search", {"study": study | {"seed": 42 + n}}, ours=True)
        for n in range(repeat)
    ]
    done = ", ".join(f"{_distinct(found, each)} {each}" for each in ("trials", "epochs"))
    work = f"{done}, best dev F1 {_mean(found, 'best_f1')}"
    whole = [each["work_s"] / (context.workers * (each["before_s"] + each["search_s"])) for each in found]
    command = Spread.of([each["before_s"] + each["search_s"] for each in found])
    title = f"{context.sizes.demo_trials}-trial ASHA demo: share of worker time in training or evaluation"
    return [
        value_row(title, utilization(found, context.workers), unit="", asked=at_least(0.9), work=work),
        value_row("the same, from the command's start", whole, unit="", work=f"{command.median:.0f} s"),
    ]


def measure_memory(context: BenchmarkContext, repeat: int) -> list[Row]:
    """One worker, a small share of the corpus, one epoch a trial; what the process holds after each."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s / 3)
    trials = context.sizes.memory_trials
    memory_growth, first, last, marks = [], [], [], []
    for repetition in range(repeat):
        options = study_options(context, configurations(trials, repetition), "random", repetition)
        options["space"]["fixed"]["epochs"] = 1
        options["workers"] = 1
        one = replace(context, workers=1)
        found = one.contestant("our search", {"encoded": str(fixture.encoded), "study": options}, ours=True)
        pids = {pid for pid, _ in found["rss"]}
        held = [rss / 2**20 for _, rss in found["rss"]]
        assert len(pids) == 1 and len(held) == trials, (pids, len(held))
        first.append(held[0])
        last.append(held[-1])
        memory_growth.append(held[-1] - held[0])
        marks.append(" ".join(f"{held[min(at, trials) - 1]:.0f}" for at in (1, 2, 10, 25, trials)))
    work = f"MiB after 1, 2, 10, 25 and {trials} trials: {'; '.join(marks)}"
    return [
        Row(
            f"resident memory of a worker, growth from trial 1 to trial {trials}",
            "after its first trial",
            Spread.of(memory_growth),
            Spread.of(last),
            Spread.of(first),
            "MiB",
            at_most(GROWTH_MIB),
            work,
        )
    ]


GROWTH_MIB = 4
"""What an allocator may still take without there being growth: under 1 % of a worker, over 49 trials."""


def measure_disk(context: BenchmarkContext, algorithm: str, repeat: int) -> list[Row]:
    """Bytes that a search of many short trials writes, and the most that lie on the disk at once."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s / 3)
    trials = context.sizes.disk_trials
    ours, peer = [], []
    for repetition in range(repeat):
        seed = context.seed + repetition
        configs = configurations(trials, seed)
        options = study_options(context, configs, algorithm, seed)
        if algorithm == "pbt" and context.sizes.epochs > 1:
            options["population_size"] = trials
        ours.append(
            context.contestant("our search", {"encoded": str(fixture.encoded), "study": options}, disk=True)
        )
        spec = {
            "fixture": str(fixture.folder),
            "configs": configs,
            "seed": seed,
            "scheduler": algorithm,
            "epochs": context.sizes.epochs,
        }
        peer.append(context.contestant("hyperparameter_search", spec, disk=True))
    title = f"{trials}-trial {algorithm.upper()} search"
    work = ", ".join(
        f"{_distinct(ours, each)} / {_distinct(peer, each)} {each}" for each in ("trials", "epochs")
    )
    written, peak, session, shared = (
        [[each["usage"][name] / 2**20 for each in contestant] for contestant in (ours, peer)]
        for name in ("written", "peak_files", "peak_session", "peak_shared_memory")
    )
    size = ours[0]["model_bytes"] / 2**20
    live = trials if algorithm == "pbt" else context.workers
    asked, models = at_most(live + 3), [each / size for each in peak[0]]
    told = f"a model is {size:.1f} MiB; {live} live trials + 3 best"
    return [
        ratio_row(f"bytes written, {title}", PEER, *written, unit="MiB", asked=at_most(0.1), work=work),
        value_row(f"peak on disk, {title}, in models", models, unit="models", asked=asked, work=told),
        ratio_row(f"peak on disk, {title}", PEER, *peak, unit="MiB", work=work),
        ratio_row(f"peak of Ray's session folder (logs), {title}", PEER, *session, unit="MiB"),
        ratio_row(
            f"peak in shared memory (no disk), {title}",
            PEER,
            *([max(x, 0.01) for x in contestant] for contestant in shared),
            unit="MiB",
        ),
    ]


def _values(found: Sequence[Result], name: str) -> list[float]:
    return [float(each[name]) for each in found]


def _distinct(found: Sequence[Result], name: str) -> str:
    return ", ".join(dict.fromkeys(f"{each[name]:g}" for each in found))


def _mean(found: Sequence[Result], name: str) -> str:
    return f"{fmean(each[name] for each in found):.4f}"


def _count_gaps(found: Sequence[Result]) -> int:
    return sum(len(each["gaps_s"]) for each in found)
