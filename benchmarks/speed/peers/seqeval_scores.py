"""Contestants: span scores with counts per class, by seqeval and by ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from seqeval.metrics import classification_report

from hpo.corpora.spans import count, label_names, score

TYPES = ("person", "place", "inst", "work", "product", "animal", "event", "myth", "other")
SENTENCE_LENGTH = 20


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the seconds of both, each on labels in its own representation.

    Ours reads the numbers of labels, seqeval their names; the conversion is not timed. ``spec``: ``tokens``,
    ``repeat``, ``seed``.
    """
    gold, predicted, offsets = _labels(spec["tokens"], spec["seed"])
    names = np.array(label_names(TYPES), dtype=object)
    gold_names, predicted_names = (
        [names[row].tolist() for row in np.split(labels, offsets[1:-1])] for labels in (gold, predicted)
    )
    found: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(spec["repeat"]):
        start = time.perf_counter()
        ours = score(count(gold, predicted, offsets, len(TYPES)).by_type(), TYPES)
        found["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        report = classification_report(gold_names, predicted_names, output_dict=True, zero_division=0)
        found["peer"].append(time.perf_counter() - start)
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
    """Draw gold labels and predictions, and return them with the offsets of the sentences.

    Entities have one to four tokens. One in ten predicted labels is drawn at random.
    """
    draw = np.random.default_rng(seed)
    types = draw.integers(len(TYPES), size=tokens)
    lengths = draw.integers(1, 5, size=tokens)
    gold = np.zeros(tokens, np.int64)
    token = 0
    while token < tokens:
        if draw.random() < 0.06:
            stop = min(tokens, token + int(lengths[token]))
            gold[token:stop] = 2 + 2 * types[token]
            gold[token] -= 1
            token = stop
        else:
            token += 1
    wrong = draw.random(tokens) < 0.1
    predicted = np.where(wrong, draw.integers(2 * len(TYPES) + 1, size=tokens), gold)
    offsets = np.append(np.arange(0, tokens, SENTENCE_LENGTH), tokens)
    return gold, predicted, offsets
