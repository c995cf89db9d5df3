"""Span scores with counts per class: seqeval's report beside ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from seqeval.metrics import classification_report

from hpo.corpora.spans import count, label_names, score

TYPES = ("person", "place", "inst", "work", "product", "animal", "event", "myth", "other")
SENTENCE = 20


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of both on so many tokens, each in the form in which a model's predictions reach it.

    Ours reads the numbers of labels, seqeval their names; naming them is left out of its time. ``spec``:
    ``tokens``, ``repeat``, ``seed``.
    """
    gold, predicted, offsets = _labels(spec["tokens"], spec["seed"])
    names = np.array(label_names(TYPES), dtype=object)
    gold_names, predicted_names = (
        [names[row].tolist() for row in np.split(labels, offsets[1:-1])] for labels in (gold, predicted)
    )
    found: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(spec["repeat"]):
        at = time.perf_counter()
        ours = score(count(gold, predicted, offsets, len(TYPES)).by_type(), TYPES)
        found["ours"].append(time.perf_counter() - at)
        at = time.perf_counter()
        report = classification_report(gold_names, predicted_names, output_dict=True, zero_division=0)
        found["peer"].append(time.perf_counter() - at)
    keys = ("precision", "recall", "f1", "support")
    rows = {"micro avg": (ours.precision, ours.recall, ours.f1, ours.gold)} | {
        name: (each.precision, each.recall, each.f1, each.gold) for name, each in ours.by_type.items()
    }
    equal = [
        tuple(report[name][key if key != "f1" else "f1-score"] for key in keys) == row
        for name, row in rows.items()
        if name in report
    ]
    return found | {"spans": ours.gold, "equal": sum(equal), "of": len(TYPES) + 1}


def _labels(tokens: int, seed: int) -> tuple[Any, Any, Any]:
    """Gold labels with entities of one to four tokens, predictions that go wrong at one token in ten."""
    draw = np.random.default_rng(seed)
    types = draw.integers(len(TYPES), size=tokens)
    lengths = draw.integers(1, 5, size=tokens)
    gold = np.zeros(tokens, np.int64)
    at = 0
    while at < tokens:
        if draw.random() < 0.06:
            stop = min(tokens, at + int(lengths[at]))
            gold[at:stop] = 2 + 2 * types[at]
            gold[at] -= 1
            at = stop
        else:
            at += 1
    wrong = draw.random(tokens) < 0.1
    predicted = np.where(wrong, draw.integers(2 * len(TYPES) + 1, size=tokens), gold)
    offsets = np.append(np.arange(0, tokens, SENTENCE), tokens)
    return gold, predicted, offsets
