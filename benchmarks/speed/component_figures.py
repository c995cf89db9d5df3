"""Measures components: a training step, padding, encoding, span scores, result matrix, driver, packing."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.speed.rows import Label, Row, Spread, Work, at_least, at_most, ratio_row, value_row
from benchmarks.speed.settings import BenchmarkContext

T_QUANTILES = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Quantiles of Student's t for a two-sided 95 % interval, by number of differences."""
RAY_DEFAULT_PENDING_TRIALS = 200
"""Number of trials that Ray Tune creates ahead of time by default with random search."""
MIB = 2**20


def measure_step(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Compare a training step of a trial with its arithmetic alone, on the same batches."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s)
    found = context.run("step", {"encoded": str(fixture.encoded), "repeat": repeat}, ours=True)
    work = Work(
        f"{found['steps'][0][0]} / {found['steps'][0][1]} steps on the same batches",
        same=all(ours == bare for ours, bare in found["steps"]),
    )
    ours, bare, unclipped = (
        [1000 * seconds for seconds in found[name]] for name in ("ours", "bare", "unclipped")
    )
    step = Label(
        "one training step, data wait and callbacks included", "forward, backward, clipping, step", "ms"
    )
    without_clipping = Label(
        "the same", "without the gradient clipping that the training configuration sets", "ms"
    )
    return [
        ratio_row(step, ours, bare, at_most(1.05), work),
        ratio_row(without_clipping, ours, unclipped, work=work),
    ]


def measure_padding(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Measure the fraction of real tokens in the model's input, counted at the model."""
    fixture = context.fixture()
    spec = {"encoded": str(fixture.encoded), "fixture": str(fixture.folder)}
    ours, peer = (
        [context.run(name, spec | {"seed": seed})["tokens"] for seed in range(repeat)]
        for name in ("our padding", "default padding")
    )
    rows = []
    for kind, title, limit in (("train", "training", 0.94), ("eval", "evaluation", 0.98)):
        fractions = [
            Spread.of([real / padded for real, padded in (each[kind] for each in tokens)])
            for tokens in (ours, peer)
        ]
        real = {each[kind][0] for each in (*ours, *peer)}
        work = Work(f"{' / '.join(map(str, sorted(real)))} real tokens", same=len(real) == 1)
        label = Label(f"real tokens / padded tokens in {title}", "default batching", unit="")
        rows.append(Row(label, fractions[0], fractions[0], fractions[1], at_least(limit), work))
    return rows


def measure_encoding(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Compare encoding: tokenize, align the labels, store."""
    spec = {"fixture": str(context.fixture().folder), "repeat": repeat}
    found = context.run("encoding", spec, ours=True)
    equal = Work(
        f"{found['same']} of {found['encodings']} encodings, three of each sentence, have the same subtokens "
        "and labels",
        same=found["same"] == found["encodings"],
    )
    unequal = Work("ours does three times the peer's work")
    title, unit = "encoding, sentences/s (tokenize, align, store)", "sentences/s"
    one_form = Label(
        "the same, three forms compared with the peer's one", "`datasets.map` of the cased form alone", unit
    )
    return [
        ratio_row(Label(title, "`datasets.map`", unit), found["ours"], found["peer"], at_least(3), equal),
        ratio_row(one_form, found["ours"], found["peer_once"], work=unequal),
    ]


def measure_spans(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Compare span scores with counts per class."""
    tokens = context.sizes.span_tokens
    found = context.run("spans", {"tokens": tokens, "repeat": repeat, "seed": context.seed}, ours=True)
    work = Work(
        f"{found['equal']} of {found['of']} score lines equal to the last digit, {found['spans']} gold spans",
        same=found["equal"] == found["of"],
    )
    label = Label(f"span F1 with per-class counts, {tokens:,} tokens", "seqeval")
    return [ratio_row(label, found["ours"], found["peer"], at_least(20), work, speedup=True)]


def measure_matrix(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Compare scoring a model on seven case variants of dev and test."""
    rows = []
    epochs = context.sizes.model_epochs
    spec = {"fixture": str(context.fixture().folder), "repeat": repeat, "epochs": epochs}
    for lower, title, limit in ((False, "cased tokenizer", 4), (True, "lower-casing tokenizer", 9)):
        found = context.run("matrix", spec | {"lower": lower}, ours=True)
        work = Work(
            f"{found['equal']} of 14 scores equal, at most {found['difference']:.1g} apart; "
            f"cased dev F1 {found['f1']:.3f}",
            same=found["equal"] == 14,
        )
        label = Label(f"matrix, 7 variants × 2 splits, {title}", "14 `Trainer.predict` + seqeval")
        rows.append(ratio_row(label, found["ours"], found["peer"], at_least(limit), work, speedup=True))
    return rows


def measure_driver(context: BenchmarkContext, trials: int, repeat: int) -> list[Row]:
    """Compare the driver's time per result and its growth of memory."""
    spec = {"trials": trials, "reports": context.sizes.reports}
    ours, peer, ahead = [], [], []
    for _ in range(repeat):
        ours.append(context.run("our driver", spec, ours=True))
        peer.append(context.run("bare tune", spec | {"ahead": 1}))
        ahead.append(context.run("bare tune", spec | {"ahead": RAY_DEFAULT_PENDING_TRIALS}))
    work = Work(
        ", ".join(f"{ours[0][each]} / {peer[0][each]} {each}" for each in ("trials", "results")),
        same=all(
            (a["trials"], a["results"]) == (b["trials"], b["results"])
            for a, b in zip(ours, peer, strict=True)
        ),
    )
    our_ms, peer_ms, ahead_ms = ([each["result_ms"] for each in found] for found in (ours, peer, ahead))
    our_mib, peer_mib = ([each["memory_growth"] / MIB for each in found] for found in (ours, peer))
    simulated = f"{trials:,} simulated trials"
    baseline = "bare Ray Tune"
    time = Label(f"driver, time per result, {simulated}", baseline, "ms")
    time_ahead = Label(
        "the same, trials of the peer made before the clock starts",
        f"{baseline}, up to {RAY_DEFAULT_PENDING_TRIALS} trials ahead",
        "ms",
    )
    memory = Label(f"driver, memory growth, {simulated}", baseline, "MiB")
    limit = at_most(max(median(peer_mib), 1.0))
    return [
        ratio_row(time, our_ms, peer_ms, at_most(1.1), work),
        ratio_row(time_ahead, our_ms, ahead_ms, work=work),
        Row(memory, Spread.of(our_mib), Spread.of(our_mib), Spread.of(peer_mib), limit, work),
        *_controller_rows(context, trials, spec),
    ]


def _controller_rows(context: BenchmarkContext, trials: int, spec: dict[str, Any]) -> list[Row]:
    """Measure our controller without Ray; ASHA with TPE only up to 1,000 trials, because it takes long."""
    algorithms = {"random": "random"} | ({"asha": "ASHA with TPE"} if trials <= 1000 else {})
    rows = []
    for algorithm, title in algorithms.items():
        found = context.run("controller", spec | {"algorithm": algorithm})
        growth = f"memory grew by {found['memory_growth'] / MIB:.0f} MiB; {found['results']} results"
        title = f"controller alone, time per result, {trials:,} simulated trials, {title}"
        rows.append(value_row(title, [found["result_ms"]], unit="ms", description=growth))
    return rows


def measure_quality(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Compare the dev F1 of three ways to form batches, over several seeds of the demo corpus."""
    demo = replace(context, data="demo", tags="suc-original", folder=context.folder / "demo")
    epochs = context.sizes.quality_epochs
    training_config = {"learning_rate": 2e-3, "warmup_ratio": 0.06, "epochs": epochs, "evals_per_epoch": 1}
    spec = {"encoded": str(demo.fixture().encoded), "training_config": training_config}
    found: dict[str, list[dict[str, Any]]] = {"packed": [], "random": [], "similar length": []}
    for seed in range(context.sizes.quality_seeds):
        for kind, results in found.items():
            results.append(context.run("quality", spec | {"seed": seed, "batches": kind}))
    f1 = {kind: [100 * each["last_f1"] for each in results] for kind, results in found.items()}
    seconds = {kind: [each["seconds"] for each in results] for kind, results in found.items()}
    baseline = "random batches, padded"
    rows = []
    for kind, target in (("packed", at_most(0.5)), ("similar length", None)):
        mean, margin = paired_interval(f1[kind], f1["random"])
        change = f"{mean:+.2f} ± {margin:.2f} points (95 %)"
        work = Work(f"{len(f1[kind])} seeds, {epochs} epochs of the demo each; {change}")
        label = Label(f"mean decrease of dev F1, {kind} batches", baseline, "points")
        ours, peer = Spread.of(f1[kind]), Spread.of(f1["random"])
        rows += [
            Row(label, Spread.of([-mean]), ours, peer, target, work),
            ratio_row(
                Label("the same training runs, time", baseline), seconds[kind], seconds["random"], work=work
            ),
        ]
    return rows


def paired_interval(ours: list[float], others: list[float]) -> tuple[float, float]:
    """Return the mean difference of pairs, and the half width of its 95 % interval by Student's t."""
    differences = [own - other for own, other in zip(ours, others, strict=True)]
    quantile = T_QUANTILES.get(len(differences), 2.0)
    return fmean(differences), quantile * stdev(differences) / sqrt(len(differences))
