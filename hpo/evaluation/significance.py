"""Paired significance test and confidence interval for the F1 difference of two checkpoints."""

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

PERMUTATIONS = 10_000
"""Random exchanges of the two models' predictions."""
MAX_BOOTSTRAP_SAMPLES = 2000
"""More samples do not change the displayed digits of the interval."""
_MAX_CELLS = 4_000_000
"""Elements of the largest temporary array."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two micro F1 in [0, 1] on the same sentences, and the significance of their difference.

    ``difference`` is ``second - first``, ``low`` to ``high`` its 95 % confidence interval. ``p`` is the
    two-sided p-value: the share of random sentence-wise exchanges of the two models' predictions whose
    difference is at least as large.
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
    """Compare two checkpoints on the seven variants of a split, each with its own tokenizer.

    Raises
    ------
    UserError
        If a checkpoint, the corpus or the family is invalid, or the corpus has no such split.
    """
    counted = [_count(folder, data, tags, split, seed) for folder in (first, second)]
    return {variant: compare_counts(*(each[variant] for each in counted), seed=seed) for variant in VARIANTS}


def _count(folder: Path, data: str, tags: str, name: str, seed: int) -> dict[str, IntArray]:
    encoded = encode_for_checkpoint(folder, data, tags, seed)
    if name not in encoded.splits:
        raise UserError(Issue(data, "no such split", name, f"known: {', '.join(encoded.splits)}"))
    require_matching_labels(folder, encoded)
    prediction, split = predict_split(load_checkpoint(folder), encoded, name)
    return {
        variant: count_by_sentence(prediction.counts, split.forms, arrange(variant, split.drawn))
        for variant in VARIANTS
    }


def count_by_sentence(counts: SpanCounts, form_index: IntArray, layout: Composition) -> IntArray:
    """Count the correct, predicted and gold spans of each sentence of a variant, summed over its forms.

    *Shape:* ``form_index`` ``(3, sentences)`` as in `hpo.evaluation.composition.compose_scores`; the result
    ``(sentences, 3)``.
    """
    by_form = counts.by_sentence()[form_index[layout.forms, layout.sentences]]
    total = np.zeros((form_index.shape[1], 3), np.int64)
    np.add.at(total, layout.sentences, by_form)
    return total


def compare_counts(
    first: IntArray, second: IntArray, *, seed: int, permutations: int = PERMUTATIONS
) -> Comparison:
    """Compare two models by their span counts on the same sentences.

    The p-value is that of approximate randomization (Yeh 2000, "More accurate tests for the statistical
    significance of result differences"); the interval lies between the quantiles .025 and .975 of the paired
    bootstrap. ``seed`` seeds both.

    *Shape:* ``first`` and ``second`` ``(sentences, 3)``: correct, predicted and gold spans of each sentence.

    Raises
    ------
    ValueError
        If the sentences do not have the same number of gold spans.
    """
    if first.shape != second.shape or (first[:, 2] != second[:, 2]).any():
        raise ValueError("the two models were not scored on the same sentences")
    scores = [float(_f1(counts.sum(axis=0))) for counts in (first, second)]
    difference = scores[1] - scores[0]
    rng = np.random.default_rng(seed)
    bootstrap = _bootstrap_differences(first, second, min(permutations, MAX_BOOTSTRAP_SAMPLES), rng)
    low, high = np.quantile(bootstrap, [0.025, 0.975])
    p = _permutation_p(first, second, abs(difference), permutations, rng)
    return Comparison(scores[0], scores[1], difference, float(low), float(high), p, len(first))


def _f1(counts: IntArray | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the micro F1 of summed counts; *shape:* ``(…, 3)`` to ``(…,)``."""
    correct, predicted, gold = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.asarray(2.0 * correct / np.maximum(predicted + gold, 1))


def _permutation_p(
    first: IntArray, second: IntArray, observed: float, permutations: int, rng: np.random.Generator
) -> float:
    """Return the share of permutations with a difference of at least ``observed``.

    ``change`` holds ``second - first`` of the sentences that differ. Exchanging a set of sentences adds its
    summed change to the counts of the first model and subtracts it from those of the second: with changes
    ``[[1, 1, 0], [0, 2, 0]]`` and the draw ``[1, 0]``, the exchange moves ``[1, 1, 0]``.
    """
    differ = (first != second).any(axis=1)
    change = (second - first)[differ].astype(np.float64)
    totals = first.sum(axis=0), second.sum(axis=0)
    as_large = 0
    for size in _chunk_sizes(permutations, len(change)):
        moved = rng.integers(0, 2, (size, len(change)), np.int8).astype(np.float64) @ change
        differences = np.abs(_f1(totals[1] - moved) - _f1(totals[0] + moved))
        as_large += int((differences >= observed - 1e-12).sum())
    return (as_large + 1) / (permutations + 1)


def _bootstrap_differences(
    first: IntArray, second: IntArray, samples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return the F1 difference of each bootstrap sample; *shape:* ``(samples,)``.

    A sample is reduced to how often it draws each sentence: of three sentences, the draw ``[2, 0, 2]`` has
    the weights ``[1, 0, 2]``.
    """
    size = len(first)
    differences = []
    for chunk in _chunk_sizes(samples, size):
        drawn = rng.integers(0, size, (chunk, size))
        rows = np.repeat(np.arange(chunk), size)
        times = np.bincount(rows * size + drawn.ravel(), minlength=chunk * size).reshape(chunk, size)
        weights = times.astype(np.float64)
        differences.append(_f1(weights @ second) - _f1(weights @ first))
    return np.concatenate(differences)


def _chunk_sizes(rows: int, width: int) -> list[int]:
    """Split ``rows`` into chunks whose arrays of ``width`` columns fit into memory."""
    largest = max(1, _MAX_CELLS // max(1, width))
    return [min(largest, rows - start) for start in range(0, rows, largest)]
