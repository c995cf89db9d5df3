"""Whether one checkpoint beats another on a split, or the sentences just fell well for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpo.corpora.spans import IntArray, SpanCounts
from hpo.corpora.variants import VARIANTS, Composition, arrange
from hpo.errors import Issue, UserError
from hpo.evaluation.checkpoint_scores import encode_for_checkpoint, predict_split, require_matching_labels
from hpo.models.checkpoints import load_checkpoint

ROUNDS = 10_000
"""Random exchanges."""
MOST_SAMPLES = 2000
"""Samples of the interval; its ends move by less than they are read to with more."""
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two micro F1 in [0, 1] on the same sentences, and how sure their difference is.

    ``difference`` is that of ``second`` over ``first``, ``low`` to ``high`` its interval of 95 %.
    ``p`` is how often exchanging the two models' answers sentence by sentence, at random, makes a difference
    at least as large, either way.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    sentences: int


def compare_checkpoints(
    first: Path, second: Path, data: str, tags: str, *, split: str = "test", seed: int = 42
) -> Mapping[str, Comparison]:
    """Compare two checkpoints on the seven variants of a split; each reads it with its own tokenizer.

    Raises
    ------
    UserError
        if a checkpoint, the corpus or the family is refused, or the corpus has no such split.
    """
    counted = [_count(folder, data, tags, split, seed) for folder in (first, second)]
    return {variant: compare_counts(*(each[variant] for each in counted), seed=seed) for variant in VARIANTS}


def _count(folder: Path, data: str, tags: str, name: str, seed: int) -> dict[str, IntArray]:
    encoded = encode_for_checkpoint(folder, data, tags, seed)
    if name not in encoded.splits:
        raise UserError(Issue(data, "has no such split", name, f"it has {', '.join(encoded.splits)}"))
    require_matching_labels(folder, encoded)
    reading, split = predict_split(load_checkpoint(folder), encoded, name)
    return {
        variant: count_by_sentence(reading.counts, split.forms, arrange(variant, split.drawn))
        for variant in VARIANTS
    }


def count_by_sentence(counts: SpanCounts, readings: IntArray, layout: Composition) -> IntArray:
    """Correct, predicted and gold spans of each sentence of a variant, its forms taken together.

    *Shape:* ``readings`` ``(3, sentences)`` as in `hpo.evaluation.composition.compose_scores`; the result
    ``(sentences, 3)``.
    """
    each = counts.by_sentence()[readings[layout.forms, layout.sentences]]
    total = np.zeros((readings.shape[1], 3), np.int64)
    np.add.at(total, layout.sentences, each)
    return total


def compare_counts(first: IntArray, second: IntArray, *, seed: int, rounds: int = ROUNDS) -> Comparison:
    """Compare two models by their counts on the same sentences.

    The test is approximate randomization, as Yeh (2000, "More accurate tests for the statistical
    significance of result differences") has it for F1; the interval is that of the paired bootstrap, between
    the quantiles .025 and .975. ``seed`` draws both.

    *Shape:* ``(sentences, 3)``: correct, predicted and gold spans of each.

    Raises
    ------
    ValueError
        if the sentences do not have the same gold spans.
    """
    if first.shape != second.shape or (first[:, 2] != second[:, 2]).any():
        raise ValueError("the two models were not scored on the same sentences")
    scores = [float(_f1(counts.sum(axis=0))) for counts in (first, second)]
    difference = scores[1] - scores[0]
    rng = np.random.default_rng(seed)
    spread = _resample(first, second, min(rounds, MOST_SAMPLES), rng)
    low, high = np.quantile(spread, [0.025, 0.975])
    p = _exchange(first, second, abs(difference), rounds, rng)
    return Comparison(scores[0], scores[1], difference, float(low), float(high), p, len(first))


def _f1(counts: IntArray | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Micro F1 of sums of counts; *shape:* ``(…, 3)`` to ``(…,)``."""
    correct, predicted, gold = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.asarray(2.0 * correct / np.maximum(predicted + gold, 1))


def _exchange(
    first: IntArray, second: IntArray, observed: float, rounds: int, rng: np.random.Generator
) -> float:
    differ = (first != second).any(axis=1)
    change = (second - first)[differ].astype(np.float64)
    ends = first.sum(axis=0), second.sum(axis=0)
    as_large = 0
    for size in _portions(rounds, len(change)):
        moved = rng.integers(0, 2, (size, len(change)), np.int8).astype(np.float64) @ change
        found = np.abs(_f1(ends[1] - moved) - _f1(ends[0] + moved))
        as_large += int((found >= observed - 1e-12).sum())
    return (as_large + 1) / (rounds + 1)


def _resample(
    first: IntArray, second: IntArray, rounds: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    size = len(first)
    spread = []
    for portion in _portions(rounds, size):
        drawn = rng.integers(0, size, (portion, size))
        rows = np.repeat(np.arange(portion), size)
        times = np.bincount(rows * size + drawn.ravel(), minlength=portion * size).reshape(portion, size)
        weights = times.astype(np.float64)
        spread.append(_f1(weights @ second) - _f1(weights @ first))
    return np.concatenate(spread)


def _portions(rounds: int, width: int) -> list[int]:
    """Rounds in portions that fit into memory."""
    most = max(1, _CELLS_AT_ONCE // max(1, width))
    return [min(most, rounds - at) for at in range(0, rounds, most)]
