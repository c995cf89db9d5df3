"""Entity spans in integer labels: found, matched and counted with numpy alone, scored as seqeval does.

Labels are numbered in the order of `label_names`: ``O`` is 0, and the ``k``-th entity type has
``B-`` = ``1 + 2k`` and ``I-`` = ``2 + 2k``. Sentences lie end to end in one array; sentence ``i`` is
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
"""seqeval's ``mode=None``, which also reads an ``I-`` that continues nothing as the start of a span."""


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Entity spans in text order.

    *Shape:* each ``(spans,)``. ``starts`` and ``ends`` count tokens from the start of the labels,
    ``ends`` exclusive; ``types`` index the list of entity types.
    """

    starts: IntArray
    ends: IntArray
    types: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SpanCounts:
    """Gold and predicted spans, reduced to what a score over any choice of sentences needs.

    *Shape:* ``gold_*`` are ``(gold spans,)``, all others ``(predicted spans,)``. ``*_sentences`` lie
    in ``[0, n_sentences)``, ``*_types`` in ``[0, n_types)``; ``correct`` marks the predicted spans
    that are gold spans of the same type. The size grows with the spans, not with sentences x types.
    """

    n_sentences: int
    n_types: int
    gold_sentences: IntArray
    gold_types: IntArray
    predicted_sentences: IntArray
    predicted_types: IntArray
    correct: BoolArray

    def by_type(self, times: IntArray | None = None) -> IntArray:
        """Correct, predicted and gold spans of each type.

        *Shape:* ``times`` is ``(n_sentences,)``, how often each sentence counts (once by default);
        the result is ``(n_types, 3)``.
        """
        return self._table(self.predicted_types, self.gold_types, self.n_types, times)

    def by_sentence(self) -> IntArray:
        """Correct, predicted and gold spans of each sentence, over all types.

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
        # Weighted bincounts are float64, which is exact for counts below 2**53.
        return np.stack(columns, axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TypeScore:
    """The scores of one entity type, in [0, 1], and the span counts that they are made of."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int

    @property
    def support(self) -> int:
        """The number of gold spans, under the name that seqeval gives it."""
        return self.gold


@dataclass(frozen=True, slots=True)
class Scores:
    """Micro scores in [0, 1], with the span counts that they are made of.

    ``by_type`` holds every entity type in the family's order. The ``macro_*`` scores are means over
    the types that have a gold or a predicted span, as in seqeval, and 0 where no type has.
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
    """The IOB2 labels of some entity types, in the order of their numbers."""
    return ("O", *chain.from_iterable((f"B-{name}", f"I-{name}") for name in types))


def encode(sentences: Iterable[Sequence[str]], types: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Number the labels of sentences and lay them end to end.

    *Shape:* ``(tokens,)`` labels and ``(sentences + 1,)`` offsets.

    Raises
    ------
    KeyError
        if a label is not one of `label_names` of the types.
    """
    number = {name: place for place, name in enumerate(label_names(types))}
    labels: list[int] = []
    offsets = [0]
    for sentence in sentences:
        labels.extend(number[label] for label in sentence)
        offsets.append(len(labels))
    return np.array(labels, dtype=np.int32), np.array(offsets, dtype=np.int64)


def extract(labels: IntArray, sentence_offsets: IntArray) -> Spans:
    """The spans that seqeval 1.2.2 reads in its default mode.

    A span begins at a ``B-``, and at an ``I-`` that follows an ``O``, another type or a sentence's
    start; it goes on over ``I-`` of its own type, and never over a sentence's end.

    *Shape:* ``labels`` ``(tokens,)``; ``sentence_offsets`` ``(sentences + 1,)``, from 0, rising.

    Raises
    ------
    ValueError
        if a label is negative (a padding mark, say), or the offsets do not end at the last token.
    """
    labels = np.asarray(labels).astype(np.int32, copy=False)
    if len(sentence_offsets) == 0 or sentence_offsets[0] != 0 or sentence_offsets[-1] != len(labels):
        raise ValueError(f"the sentence offsets must run from 0 to {len(labels)}, the number of tokens")
    if len(labels) == 0:
        nothing = np.empty(0, dtype=np.int32)
        return Spans(nothing, nothing, nothing)
    if labels.min() < 0:
        raise ValueError(f"labels must not be negative: {labels.min()}")

    first = np.zeros(len(labels) + 1, dtype=np.bool_)
    first[sentence_offsets] = True
    types = (labels - 1) >> 1  # -1 outside of entities
    inside = types >= 0
    begins = first[:-1] | (labels & 1).astype(np.bool_)
    begins[1:] |= types[1:] != types[:-1]
    begins &= inside
    # A span ends before the next one begins, before an O, and at a sentence's last token.
    ends = first[1:].copy()
    ends[:-1] |= begins[1:] | ~inside[1:]
    ends &= inside
    starts = np.flatnonzero(begins).astype(np.int32)
    return Spans(starts, (np.flatnonzero(ends) + 1).astype(np.int32), types[starts])


def count(gold: IntArray, predicted: IntArray, sentence_offsets: IntArray, n_types: int) -> SpanCounts:
    """Match predicted spans with gold spans: same start, same end, same type.

    *Shape:* ``gold`` and ``predicted`` ``(tokens,)``, with labels in ``[0, 2 * n_types]``;
    ``sentence_offsets`` ``(sentences + 1,)``.

    Raises
    ------
    ValueError
        if the shapes differ, a label is out of range, or the offsets do not fit the labels.
    """
    if gold.shape != predicted.shape:
        raise ValueError(f"gold and predicted labels differ in shape: {gold.shape}, {predicted.shape}")
    for labels in (gold, predicted):
        if labels.size and labels.max() > 2 * n_types:
            raise ValueError(f"label {labels.max()} is not among those of {n_types} types")
    true = extract(gold, sentence_offsets)
    guessed = extract(predicted, sentence_offsets)
    return SpanCounts(
        n_sentences=len(sentence_offsets) - 1,
        n_types=n_types,
        gold_sentences=_sentences_of(true, sentence_offsets),
        gold_types=true.types,
        predicted_sentences=_sentences_of(guessed, sentence_offsets),
        predicted_types=guessed.types,
        correct=_found_in(guessed, true),
    )


def score(by_type: IntArray, types: Sequence[str]) -> Scores:
    """Scores from span counts, equal to seqeval's to the last digit; a division by zero gives 0.

    *Shape:* ``by_type`` ``(types, 3)``: correct, predicted and gold spans of each type.
    """
    each = {name: _type_score(*map(int, row)) for name, row in zip(types, by_type, strict=True)}
    # seqeval averages in alphabetical order, and a sum of floats depends on its order.
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
    # Spans of one labelling do not overlap, so at most one of the others has a given start.
    place = np.minimum(np.searchsorted(others.starts, spans.starts), len(others.starts) - 1)
    found: BoolArray = (
        (others.starts[place] == spans.starts)
        & (others.ends[place] == spans.ends)
        & (others.types[place] == spans.types)
    )
    return found


def _type_score(correct: int, predicted: int, gold: int) -> TypeScore:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    # The order of these operations is seqeval's, and the last digit depends on it.
    f1 = 2.0 * precision * recall / (precision + recall) if correct else 0.0
    return TypeScore(precision, recall, f1, correct, predicted, gold)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
