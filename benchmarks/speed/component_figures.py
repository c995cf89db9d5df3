"""Figures of parts: a step, padding, encoding, span scores, the matrix, the driver, packing."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.speed.rows import (
    Row,
    Spread,
    at_least,
    at_most,
    ratio_row,
    value_row,
)
from benchmarks.speed.settings import BenchmarkContext

T_QUANTILES = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Of Student's t for a two-sided 95 % interval over so many differences."""


def measure_step(context: BenchmarkContext, repeat: int) -> list[Row]:
    """A step of a trial, and its arithmetic alone on the same batches."""
    fixture, _ = context.fixture_for_epoch_time(context.sizes.short_epoch_s)
    found = context.contestant("step", {"encoded": str(fixture.encoded), "repeat": repeat}, ours=True)
    work = f"{found['steps'][0][0]} / {found['steps'][0][1]} steps on the same batches"
    alike = all(ours == bare for ours, bare in found["steps"])
    milliseconds = {name: [1000 * each for each in found[name]] for name in ("ours", "bare", "unclipped")}
    return [
        ratio_row(
            "one training step, data wait and callbacks included",
            "forward, backward, clipping, step",
            milliseconds["ours"],
            milliseconds["bare"],
            unit="ms",
            asked=at_most(1.05),
            work=work,
            alike=alike,
        ),
        ratio_row(
            "the same",
            "without the clipping that the training configuration asks for",
            milliseconds["ours"],
            milliseconds["unclipped"],
            unit="ms",
            work=work,
            alike=alike,
        ),
    ]


def measure_padding(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Share of real tokens in what the model is given, counted at the model."""
    fixture = context.fixture()
    rows = []
    spec = {"encoded": str(fixture.encoded), "fixture": str(fixture.folder)}
    ours, peer = (
        [context.contestant(contestant, spec | {"seed": seed})["tokens"] for seed in range(repeat)]
        for contestant in ("our padding", "default padding")
    )
    for kind, title, limit in (("train", "training", 0.94), ("eval", "evaluation", 0.98)):
        utilization = [[each[kind][0] / each[kind][1] for each in contestant] for contestant in (ours, peer)]
        real = {each[kind][0] for each in (*ours, *peer)}
        rows.append(
            Row(
                f"real tokens / padded tokens in {title}",
                "default batching",
                Spread.of(utilization[0]),
                Spread.of(utilization[0]),
                Spread.of(utilization[1]),
                "",
                at_least(limit),
                f"{' / '.join(map(str, sorted(real)))} real tokens",
                alike=len(real) == 1,
            )
        )
    return rows


def measure_encoding(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Tokenize, align, store."""
    found = context.contestant(
        "encoding", {"fixture": str(context.fixture().folder), "repeat": repeat}, ours=True
    )
    work = (
        f"{found['same']} of {found['encodings']} encodings, three of each sentence, have the same subtokens "
        "and labels"
    )
    return [
        ratio_row(
            "encoding, sentences/s (tokenize, align, store)",
            "`datasets.map`",
            found["ours"],
            found["peer"],
            unit="sentences/s",
            asked=at_least(3),
            work=work,
            alike=found["same"] == found["encodings"],
        ),
        ratio_row(
            "the same, three forms beside the peer's one",
            "`datasets.map` of the cased form alone",
            found["ours"],
            found["peer_once"],
            unit="sentences/s",
            work="ours does three times the peer's work",
        ),
    ]


def measure_spans(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Span scores with counts per class."""
    tokens = context.sizes.span_tokens
    found = context.contestant("spans", {"tokens": tokens, "repeat": repeat, "seed": context.seed}, ours=True)
    work = (
        f"{found['equal']} of {found['of']} score lines equal to the last digit, {found['spans']} gold spans"
    )
    return [
        ratio_row(
            f"span F1 with per-class counts, {tokens:,} tokens",
            "seqeval",
            found["ours"],
            found["peer"],
            asked=at_least(20),
            times_as_fast=True,
            work=work,
            alike=found["equal"] == found["of"],
        )
    ]


def measure_matrix(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Seven variants of dev and test."""
    rows = []
    spec = {
        "fixture": str(context.fixture().folder),
        "repeat": repeat,
        "epochs": context.sizes.model_epochs,
    }
    for lower, title, limit in ((False, "cased tokenizer", 4), (True, "lower-casing tokenizer", 9)):
        found = context.contestant("matrix", spec | {"lower": lower}, ours=True)
        work = (
            f"{found['equal']} of 14 scores equal, at most {found['differences']:.1g} apart; "
            f"cased dev F1 {found['f1']:.3f}"
        )
        rows.append(
            ratio_row(
                f"matrix, 7 variants × 2 splits, {title}",
                "14 `Trainer.predict` + seqeval",
                found["ours"],
                found["peer"],
                asked=at_least(limit),
                times_as_fast=True,
                work=work,
                alike=found["equal"] == 14,
            )
        )
    return rows


RAY_DEFAULT_PENDING_TRIALS = 200
"""Trials that Ray Tune makes ahead by itself when it draws them at random."""


def measure_driver(context: BenchmarkContext, trials: int, repeat: int) -> list[Row]:
    """What a result costs at the driver, and what the driver keeps in memory."""
    spec = {"trials": trials, "reports": context.sizes.reports}
    ours, peer, ahead = [], [], []
    for _ in range(repeat):
        ours.append(context.contestant("our driver", spec, ours=True))
        peer.append(context.contestant("bare tune", spec | {"ahead": 1}))
        ahead.append(context.contestant("bare tune", spec | {"ahead": RAY_DEFAULT_PENDING_TRIALS}))
    controller = [
        context.contestant("controller", spec | {"algorithm": name})
        for name in ("random", "asha")
        if name == "random" or trials <= 1000
    ]
    work = ", ".join(f"{ours[0][each]} / {peer[0][each]} {each}" for each in ("trials", "results"))
    alike = all(
        (a["trials"], a["results"]) == (b["trials"], b["results"]) for a, b in zip(ours, peer, strict=True)
    )
    memory_growth = [[each["memory_growth"] / 2**20 for each in contestant] for contestant in (ours, peer)]
    title = f"{trials:,} simulated trials"
    rows = [
        ratio_row(
            f"driver, time per result, {title}",
            "bare Ray Tune",
            [each["result_ms"] for each in ours],
            [each["result_ms"] for each in peer],
            unit="ms",
            asked=at_most(1.1),
            work=work,
            alike=alike,
        ),
        ratio_row(
            "the same, trials of the peer made before the clock starts",
            f"bare Ray Tune, up to {RAY_DEFAULT_PENDING_TRIALS} trials ahead",
            [each["result_ms"] for each in ours],
            [each["result_ms"] for each in ahead],
            unit="ms",
            work=work,
            alike=alike,
        ),
        Row(
            f"driver, memory growth, {title}",
            "bare Ray Tune",
            Spread.of(memory_growth[0]),
            Spread.of(memory_growth[0]),
            Spread.of(memory_growth[1]),
            "MiB",
            at_most(max(median(memory_growth[1]), 1.0)),
            work,
            alike,
        ),
    ]
    for name, found in zip(("random", "ASHA with TPE"), controller, strict=False):
        grew = f"memory grew by {found['memory_growth'] / 2**20:.0f} MiB; {found['results']} results"
        rows.append(
            value_row(
                f"controller alone, time per result, {title}, {name}",
                [found["result_ms"]],
                unit="ms",
                work=grew,
            )
        )
    return rows


def measure_quality(context: BenchmarkContext, repeat: int) -> list[Row]:
    """Dev F1 of trainings that differ in how batches are drawn, on the demo corpus, over the seeds."""
    demo = replace(context, data="demo", tags="suc-original", folder=context.folder / "demo")
    epochs = context.sizes.quality_epochs
    training_config = {"learning_rate": 2e-3, "warmup_ratio": 0.06, "epochs": epochs, "evals_per_epoch": 1}
    spec = {"encoded": str(demo.fixture().encoded), "training_config": training_config}
    found: dict[str, list[dict[str, Any]]] = {"packed": [], "random": [], "similar length": []}
    for seed in range(context.sizes.quality_seeds):
        for kind, contestant in found.items():
            contestant.append(context.contestant("quality", spec | {"seed": seed, "batches": kind}))
    f1 = {kind: [100 * each["last_f1"] for each in contestant] for kind, contestant in found.items()}
    rows = []
    for kind, asked in (("packed", at_most(0.5)), ("similar length", None)):
        mean, margin = paired_interval(f1[kind], f1["random"])
        change = f"{mean:+.2f} ± {margin:.2f} points (95 %)"
        work = f"{len(f1[kind])} seeds, {epochs} epochs of the demo each; {change}"
        figure = f"dev F1, {kind} batches, points lost in the mean"
        ours, peer = Spread.of(f1[kind]), Spread.of(f1["random"])
        rows.append(
            Row(figure, "random batches, padded", Spread.of([-mean]), ours, peer, "points", asked, work)
        )
        rows.append(
            ratio_row(
                "the same trainings, time",
                "random batches, padded",
                *([each["seconds"] for each in found[name]] for name in (kind, "random")),
                work=work,
            )
        )
    return rows


def paired_interval(ours: list[float], others: list[float]) -> tuple[float, float]:
    """Mean difference of pairs, and the half width of its 95 % interval by Student's t."""
    differences = [own - other for own, other in zip(ours, others, strict=True)]
    quantile = T_QUANTILES.get(len(differences), 2.0)
    return fmean(differences), quantile * stdev(differences) / sqrt(len(differences))
