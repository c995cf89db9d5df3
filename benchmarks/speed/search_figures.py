"""Measures complete searches: wall time, start of trials, utilization of workers, memory and disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks.speed.rows import Label, Row, Spread, Work, at_least, at_most, ratio_row, value_row
from benchmarks.speed.settings import BenchmarkContext

PEER = '`hyperparameter_search("ray")`'
PLAIN = "plain PyTorch loop"
BATCH_SIZE = 32
F1_TOLERANCE = 0.005
"""Mean F1 over the seeds, in [0, 1], may differ by this much."""
GROWTH_MIB = 4
"""Growth that an allocator may cause: less than 1 % of a worker's memory over 49 trials."""
MIB = 2**20

Result = Mapping[str, Any]
"""Measurements of one contestant."""


@dataclass(frozen=True)
class SearchSize:
    """Trials, seconds per epoch of a plain Trainer, and the upper limit of the ratio of the search times."""

    trials: int
    epoch_s: float
    limit: float


def configurations(number: int, seed: int) -> list[dict[str, float]]:
    """Draw the learning rates and weight decays that all contestants try, in this order."""
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
    """Return the options of a study that tries given configurations as its points to evaluate."""
    ranges = {"learning_rate": (1e-4, 1e-2, "loguniform"), "weight_decay": (0.0, 0.2, "uniform")}
    parameters = {
        name: {"low": low, "high": high, "type": kind} for name, (low, high, kind) in ranges.items()
    }
    space = {
        "parameters": parameters,
        "fixed": {"epochs": context.sizes.epochs, "evals_per_epoch": 1, "batch_size": BATCH_SIZE},
        "points_to_evaluate": list(configs),
    }
    return {"algorithm": algorithm, "trials": len(configs), "seed": seed, "space": space}


def measure_search(context: BenchmarkContext, size: SearchSize, repeat: int) -> list[Row]:
    """Compare our search with the Trainer's search and with a plain loop over the same trials."""
    fixture, epoch_s = context.fixture_for_epoch_time(size.epoch_s)
    ours: list[Result] = []
    peer: list[Result] = []
    plain: list[Result] = []
    for repetition in range(repeat):
        seed = context.seed + repetition
        configs = configurations(size.trials, seed)
        common = {"epochs": context.sizes.epochs, "seed": seed, "configs": configs}
        encoded = {"encoded": str(fixture.encoded)}
        study = {"study": study_options(context, configs, "asha", seed)}
        ours.append(context.run("our search", encoded | study, ours=True))
        peer_spec = common | {"fixture": str(fixture.folder), "scheduler": "asha"}
        peer.append(context.run("hyperparameter_search", peer_spec))
        plain_spec = common | encoded | {"epochs_by_trial": ours[-1]["epochs_by_trial"]}
        plain.append(context.run("plain loop", plain_spec))
    suffix = f", {size.trials} trials, {epoch_s:.1f} s epochs"
    return [
        *_peer_rows(size, suffix, ours, peer),
        *_plain_loop_rows(suffix, ours, plain),
        value_row(
            f"the same, fraction of the workers' time in training or evaluation{suffix}",
            utilization(ours, context.workers),
            unit="",
        ),
        *_trial_start_rows(suffix, context.workers, ours, peer),
    ]


def _peer_rows(size: SearchSize, suffix: str, ours: Sequence[Result], peer: Sequence[Result]) -> list[Row]:
    """Compare time and best dev F1 with those of the Trainer's search."""
    counts = (f"{_distinct(ours, each)} / {_distinct(peer, each)} {each}" for each in ("trials", "epochs"))
    work = Work(
        f"{', '.join(counts)}, best dev F1 {_mean(ours, 'best_f1')} / {_mean(peer, 'best_f1')}",
        same=all(found["trials"] == size.trials for found in (*ours, *peer)),
    )
    limit = at_most(size.limit)
    our_f1, peer_f1 = ([100 * each for each in _values(found, "best_f1")] for found in (ours, peer))
    difference = abs(fmean(own - other for own, other in zip(our_f1, peer_f1, strict=True)))
    our_epoch_s, peer_epoch_s = (
        [each["search_s"] / each["epochs"] for each in found] for found in (ours, peer)
    )
    return [
        ratio_row(
            Label(f"search{suffix}", PEER), _values(ours, "search_s"), _values(peer, "search_s"), limit, work
        ),
        ratio_row(
            Label(f"the same, per epoch trained{suffix}", PEER), our_epoch_s, peer_epoch_s, limit, work
        ),
        ratio_row(
            Label(f"the same, whole command{suffix}", PEER),
            _values(ours, "command_s"),
            _values(peer, "command_s"),
            work=Work(work.description),
        ),
        Row(
            Label(f"difference in best dev F1{suffix}", PEER, "points"),
            Spread.of([difference]),
            Spread.of(our_f1),
            Spread.of(peer_f1),
            at_most(100 * F1_TOLERANCE),
            Work(f"mean over {len(our_f1)} seeds"),
        ),
    ]


def _plain_loop_rows(suffix: str, ours: Sequence[Result], plain: Sequence[Result]) -> list[Row]:
    """Compare time with that of a plain loop over trials of the same lengths."""
    work = Work(
        f"{_distinct(plain, 'trials')} trials, {_distinct(plain, 'epochs')} epochs, best dev F1 "
        f"{_mean(plain, 'best_f1')}",
        same=all(own["epochs"] == other["epochs"] for own, other in zip(ours, plain, strict=True)),
    )
    plain_s = _values(plain, "search_s")
    from_first_trial = Label(f"the same, from the start of the first trial, after all imports{suffix}", PLAIN)
    return [
        ratio_row(Label(f"search{suffix}", PLAIN), _values(ours, "search_s"), plain_s, at_most(1.08), work),
        ratio_row(from_first_trial, _values(ours, "span_s"), plain_s, work=work),
    ]


def _trial_start_rows(suffix: str, workers: int, ours: Sequence[Result], peer: Sequence[Result]) -> list[Row]:
    """Compare how long a worker takes from one trial to the next; no rows if no worker had two trials."""
    if not all(found["gaps_s"] for found in (*ours, *peer)):
        return []
    our_gaps, peer_gaps = ([median(each["gaps_s"]) for each in found] for found in (ours, peer))
    our_starts, peer_starts = (
        [median(each["inside_s"][workers:] or each["inside_s"]) for each in found] for found in (ours, peer)
    )
    counts = Work(f"{_count_gaps(ours)} / {_count_gaps(peer)} starts, medians")
    return [
        ratio_row(
            Label(f"end of a trial to the first step of the next in its slot{suffix}", PEER),
            our_gaps,
            peer_gaps,
            at_most(0.1),
            counts,
        ),
        ratio_row(
            Label(f"the same, inside the worker: start of the trial to its first step{suffix}", PEER),
            our_starts,
            peer_starts,
            work=Work("all trials except the first of each worker"),
        ),
    ]


def utilization(found: Sequence[Result], workers: int) -> list[float]:
    """Return the fraction, in [0, 1], of the workers' time that was training or evaluation."""
    return [each["work_s"] / (workers * each["span_s"]) for each in found]


def measure_utilization(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Measure the utilization of `make hpo ALG=asha TRIALS=50`, on the demo corpus in any case."""
    trials = context.sizes.demo_trials
    study = {"data": "demo", "algorithm": "asha", "trials": trials}
    found = [context.run("our search", {"study": study | {"seed": 42 + n}}, ours=True) for n in range(repeat)]
    counts = ", ".join(f"{_distinct(found, each)} {each}" for each in ("trials", "epochs"))
    work = f"{counts}, best dev F1 {_mean(found, 'best_f1')}"
    command_s = [each["before_s"] + each["search_s"] for each in found]
    of_command = [
        each["work_s"] / (context.workers * seconds) for each, seconds in zip(found, command_s, strict=True)
    ]
    title = f"{trials}-trial ASHA demo: fraction of worker time in training or evaluation"
    return [
        value_row(
            title, utilization(found, context.workers), unit="", target=at_least(0.9), description=work
        ),
        value_row(
            "the same, from the start of the command",
            of_command,
            unit="",
            description=f"{median(command_s):.0f} s",
        ),
    ]


def measure_memory(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Measure the resident memory of a single worker after each of many short trials."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s / 3)
    trials = context.sizes.memory_trials
    one_worker = replace(context, workers=1)
    growth, first, last, series = [], [], [], []
    for repetition in range(repeat):
        options = study_options(context, configurations(trials, repetition), "random", repetition)
        options["space"]["fixed"]["epochs"] = 1
        options["workers"] = 1
        spec = {"encoded": str(fixture.encoded), "study": options}
        found = one_worker.run("our search", spec, ours=True)
        pids = {pid for pid, _ in found["rss"]}
        mib = [rss / MIB for _, rss in found["rss"]]
        assert len(pids) == 1 and len(mib) == trials, (pids, len(mib))
        first.append(mib[0])
        last.append(mib[-1])
        growth.append(mib[-1] - mib[0])
        series.append(" ".join(f"{mib[min(number, trials) - 1]:.0f}" for number in (1, 2, 10, 25, trials)))
    work = Work(f"MiB after 1, 2, 10, 25 and {trials} trials: {'; '.join(series)}")
    title = f"resident memory of a worker, growth from trial 1 to trial {trials}"
    label = Label(title, "after its first trial", "MiB")
    return [Row(label, Spread.of(growth), Spread.of(last), Spread.of(first), at_most(GROWTH_MIB), work)]


def measure_disk(context: BenchmarkContext, algorithm: str, repeat: int) -> list[Row]:
    """Compare the bytes that a search of many short trials writes, and the peak of its disk use."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s / 3)
    trials, epochs = context.sizes.disk_trials, context.sizes.epochs
    ours, peer = [], []
    for repetition in range(repeat):
        seed = context.seed + repetition
        configs = configurations(trials, seed)
        options = study_options(context, configs, algorithm, seed)
        if algorithm == "pbt" and epochs > 1:
            options["population_size"] = trials
        spec = {"encoded": str(fixture.encoded), "study": options}
        ours.append(context.run("our search", spec, disk=True))
        peer_spec = {"fixture": str(fixture.folder), "configs": configs, "seed": seed, "epochs": epochs}
        peer.append(context.run("hyperparameter_search", peer_spec | {"scheduler": algorithm}, disk=True))
    search = f"{trials}-trial {algorithm.upper()} search"
    counts = (f"{_distinct(ours, each)} / {_distinct(peer, each)} {each}" for each in ("trials", "epochs"))
    work = Work(", ".join(counts))
    written, peak, session, shared_memory = (
        [[each["usage"][name] / MIB for each in found] for found in (ours, peer)]
        for name in ("written", "peak_files", "peak_session", "peak_shared_memory")
    )
    model_mib = ours[0]["model_bytes"] / MIB
    live = trials if algorithm == "pbt" else context.workers
    return [
        ratio_row(Label(f"bytes written, {search}", PEER, "MiB"), written[0], written[1], at_most(0.1), work),
        value_row(
            f"peak on disk, {search}, in models",
            [mib / model_mib for mib in peak[0]],
            unit="models",
            target=at_most(live + 3),
            description=f"a model is {model_mib:.1f} MiB; {live} live trials + 3 best",
        ),
        ratio_row(Label(f"peak on disk, {search}", PEER, "MiB"), peak[0], peak[1], work=work),
        ratio_row(
            Label(f"peak of Ray's session folder (logs), {search}", PEER, "MiB"), session[0], session[1]
        ),
        ratio_row(
            Label(f"peak in shared memory (no disk), {search}", PEER, "MiB"),
            [max(mib, 0.01) for mib in shared_memory[0]],
            [max(mib, 0.01) for mib in shared_memory[1]],
        ),
    ]


def _values(found: Sequence[Result], name: str) -> list[float]:
    return [float(each[name]) for each in found]


def _distinct(found: Sequence[Result], name: str) -> str:
    """Return the distinct values over the repetitions, separated by commas."""
    return ", ".join(dict.fromkeys(f"{each[name]:g}" for each in found))


def _mean(found: Sequence[Result], name: str) -> str:
    return f"{fmean(each[name] for each in found):.4f}"


def _count_gaps(found: Sequence[Result]) -> int:
    return sum(len(each["gaps_s"]) for each in found)
