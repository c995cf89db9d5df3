"""Extract, match and score entity spans in integer labels with numpy, with the results of seqeval.

Labels are numbered in the order of `label_names`: ``O`` is 0, and the ``k``-th entity type has
``B-`` = ``1 + 2k`` and ``I-`` = ``2 + 2k``. Sentences are concatenated in one array; sentence ``i`` is
``labels[offsets[i]:offsets[i + 1]]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.signedinteger[Any]]
BoolArray = npt.NDArray[np.bool_]

SCHEME = "IOB2"
MODE = "default"
"""seqeval's ``mode=None``, in which an ``I-`` that continues no span starts one."""


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Entity spans in text order.

    *Shape:* each ``(spans,)``. ``starts`` and ``ends`` (exclusive) are token indices into the concatenated
    labels; ``types`` are indices into the list of entity types.
    """

    starts: IntArray
    ends: IntArray
    types: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SpanCounts:
    """Sentence and type of every gold and predicted span, from which any subset of sentences can be scored.

    *Shape:* ``gold_*`` are ``(gold spans,)``, all others ``(predicted spans,)``. ``*_sentences`` are
    in ``[0, n_sentences)``, ``*_types`` in ``[0, n_types)``; ``correct`` marks the predicted spans
    that match a gold span of the same type.
    """

    n_sentences: int
    n_types: int
    gold_sentences: IntArray
    gold_types: IntArray
    predicted_sentences: IntArray
    predicted_types: IntArray
    correct: BoolArray

    def by_type(self, times: IntArray | None = None) -> IntArray:
        """Count the correct, predicted and gold spans of each type.

        *Shape:* ``times`` is ``(n_sentences,)``, the weight of each sentence (1 by default);
        the result is ``(n_types, 3)``.
        """
        return self._table(self.predicted_types, self.gold_types, self.n_types, times)

    def by_sentence(self) -> IntArray:
        """Count the correct, predicted and gold spans of each sentence, over all types.

        *Shape:* ``(n_sentences, 3)``.
        """
        return self._table(self.predicted_sentences, self.gold_sentences, self.n_sentences, None)

    def _table(self, predicted: IntArray, gold: IntArray, size: int, times: IntArray | None) -> IntArray:
        times = np.ones(self.n_sentences, dtype=np.int64) if times is None else times
        predicted_times = times[self.predicted_sentences]
        columns = (
            np.bincount(predicted, weights=predicted_times * self.correct, minlength=size),
            np.bincount(predicted, weights=predicted_times, minlength=size),
            np.bincount(gold, weights=times[self.gold_sentences], minlength=size),
        )
        # Weighted bincounts are float64, exact for counts below 2**53.
        return np.stack(columns, axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TypeScore:
    """The scores of one entity type, in [0, 1], and the span counts behind them."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int

    @property
    def support(self) -> int:
        """The number of gold spans, under seqeval's name."""
        return self.gold


@dataclass(frozen=True, slots=True)
class Scores:
    """Micro scores in [0, 1], with the span counts behind them.

    ``by_type`` holds every entity type in the family's order. The ``macro_*`` scores are means over
    the types with a gold or predicted span, as in seqeval, and 0 if there are none.
    """

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int
    macro_precision: float
    macro_recall: float
    macro_f1: float
    by_type: Mapping[str, TypeScore]
    scheme: str = SCHEME
    mode: str = MODE


def label_names(types: Sequence[str]) -> tuple[str, ...]:
    """Return the IOB2 labels of these entity types, in the order of their numbers."""
    return ("O", *chain.from_iterable((f"B-{name}", f"I-{name}") for name in types))


def encode(sentences: Iterable[Sequence[str]], types: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Convert the labels of sentences to numbers and concatenate them.

    *Shape:* ``(tokens,)`` labels and ``(sentences + 1,)`` offsets.

    Raises
    ------
    KeyError
        If a label is not among the `label_names` of the types.
    """
    number = {name: index for index, name in enumerate(label_names(types))}
    labels: list[int] = []
    offsets = [0]
    for sentence in sentences:
        labels.extend(number[label] for label in sentence)
        offsets.append(len(labels))
    return np.array(labels, dtype=np.int32), np.array(offsets, dtype=np.int64)


def sentence_starts(n_tokens: int, sentence_offsets: IntArray) -> BoolArray:
    """Mark the first token of every sentence, and the position behind the last token.

    *Shape:* ``(n_tokens + 1,)``.
    """
    starts = np.zeros(n_tokens + 1, dtype=np.bool_)
    starts[sentence_offsets] = True
    return starts


def entity_boundaries(labels: IntArray, sentence_offsets: IntArray) -> tuple[IntArray, BoolArray, BoolArray]:
    """Return each token's entity type (-1 outside), and whether it begins and whether it ends an entity.

    An entity begins at a ``B-``, and at an ``I-`` that follows an ``O``, another type or a sentence
    boundary. It ends before the next entity, before an ``O``, and at the end of its sentence.

    *Shape:* ``labels`` and all results are ``(tokens,)``; ``sentence_offsets`` is ``(sentences + 1,)``.

    Example: one sentence ``B-0 I-0 O I-1`` is ``labels = [1, 2, 0, 4]``, with ``sentence_offsets = [0, 4]``.
    The types are ``(labels - 1) >> 1 = [0, 0, -1, 1]``; tokens 0 and 3 begin entities, 1 and 3 end them.
    """
    first = sentence_starts(len(labels), sentence_offsets)
    types = (labels.astype(np.int32, copy=False) - 1) >> 1
    begins = first[:-1] | (labels & 1).astype(np.bool_)
    begins[1:] |= types[1:] != types[:-1]
    begins &= types >= 0
    ends = first[1:].copy()
    ends[:-1] |= begins[1:] | (types[1:] < 0)
    return types, begins, ends & (types >= 0)


def extract(labels: IntArray, sentence_offsets: IntArray) -> Spans:
    """Return the spans that seqeval 1.2.2 finds in its default mode; see `entity_boundaries`.

    *Shape:* ``labels`` ``(tokens,)``; ``sentence_offsets`` ``(sentences + 1,)``, from 0, increasing.

    Raises
    ------
    ValueError
        If a label is negative (such as a padding label), or the offsets do not end at the last token.
    """
    labels = np.asarray(labels)
    if len(sentence_offsets) == 0 or sentence_offsets[0] != 0 or sentence_offsets[-1] != len(labels):
        raise ValueError(f"sentence offsets must run from 0 to {len(labels)}, the number of tokens")
    if labels.size and labels.min() < 0:
        raise ValueError(f"labels must not be negative: {labels.min()}")
    types, begins, ends = entity_boundaries(labels, sentence_offsets)
    starts = np.flatnonzero(begins).astype(np.int32)
    return Spans(starts, (np.flatnonzero(ends) + 1).astype(np.int32), types[starts])


def count(gold: IntArray, predicted: IntArray, sentence_offsets: IntArray, n_types: int) -> SpanCounts:
    """Match predicted spans with gold spans of the same start, end and type.

    *Shape:* ``gold`` and ``predicted`` ``(tokens,)``, with labels in ``[0, 2 * n_types]``;
    ``sentence_offsets`` ``(sentences + 1,)``.

    Raises
    ------
    ValueError
        If the shapes differ, a label is out of range, or the offsets do not match the labels.
    """
    if gold.shape != predicted.shape:
        raise ValueError(f"gold and predicted labels differ in shape: {gold.shape}, {predicted.shape}")
    for labels in (gold, predicted):
        if labels.size and labels.max() > 2 * n_types:
            raise ValueError(f"label {labels.max()} is not among those of {n_types} types")
    gold_spans = extract(gold, sentence_offsets)
    predicted_spans = extract(predicted, sentence_offsets)
    return SpanCounts(
        n_sentences=len(sentence_offsets) - 1,
        n_types=n_types,
        gold_sentences=_sentences_of(gold_spans, sentence_offsets),
        gold_types=gold_spans.types,
        predicted_sentences=_sentences_of(predicted_spans, sentence_offsets),
        predicted_types=predicted_spans.types,
        correct=_found_in(predicted_spans, gold_spans),
    )


def score(by_type: IntArray, types: Sequence[str]) -> Scores:
    """Compute scores from span counts, equal to seqeval's to the last digit; a division by zero gives 0.

    *Shape:* ``by_type`` ``(types, 3)``: correct, predicted and gold spans of each type.
    """
    each = {name: _type_score(*map(int, row)) for name, row in zip(types, by_type, strict=True)}
    # seqeval averages in alphabetical order; the order changes the last digit of a float sum.
    present = [each[name] for name in sorted(each) if each[name].predicted or each[name].gold]
    micro = _type_score(*map(int, by_type.sum(axis=0)))
    return Scores(
        precision=micro.precision,
        recall=micro.recall,
        f1=micro.f1,
        correct=micro.correct,
        predicted=micro.predicted,
        gold=micro.gold,
        macro_precision=_mean([one.precision for one in present]),
        macro_recall=_mean([one.recall for one in present]),
        macro_f1=_mean([one.f1 for one in present]),
        by_type=each,
    )


def _sentences_of(spans: Spans, sentence_offsets: IntArray) -> IntArray:
    return (np.searchsorted(sentence_offsets, spans.starts, side="right") - 1).astype(np.int32)


def _found_in(spans: Spans, others: Spans) -> BoolArray:
    if len(others.starts) == 0:
        return np.zeros(len(spans.starts), dtype=np.bool_)
    # Spans of one labelling do not overlap, so at most one of them has a given start.
    index = np.minimum(np.searchsorted(others.starts, spans.starts), len(others.starts) - 1)
    found: BoolArray = (
        (others.starts[index] == spans.starts)
        & (others.ends[index] == spans.ends)
        & (others.types[index] == spans.types)
    )
    return found


def _type_score(correct: int, predicted: int, gold: int) -> TypeScore:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    # In seqeval's order of operations, which determines the last digit.
    f1 = 2.0 * precision * recall / (precision + recall) if correct else 0.0
    return TypeScore(precision, recall, f1, correct, predicted, gold)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
