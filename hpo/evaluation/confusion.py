"""What was taken for what: tokens by label, entities by type, and the scores of each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from hpo.corpora.spans import IntArray, Spans, extract, label_names
from hpo.storage.atomic import read_json
from hpo.storage.yaml_files import YamlFile, validate

OUTSIDE = "O"
NO_ENTITY = "nothing"
"""In the table of entities: the row of what was found and is not there, and the column of what was missed."""

Table = tuple[tuple[int, ...], ...]


class Confusion(BaseModel):
    """Counts of one split in one case variant; gold in the rows, predicted in the columns.

    *Shape:* ``tokens`` ``(labels, labels)``, the labels in the order of their numbers: O, then B- and I-
    of each type. ``entities`` ``(types + 1, types + 1)``: entities of the same tokens, by type, and in the
    last row and column those that stand on one side only. An entity whose border is wrong is one missed
    and one found where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    types: tuple[str, ...]
    tokens: Table
    entities: Table

    @model_validator(mode="after")
    def _fits_its_types(self) -> Confusion:
        for table, size in ((self.tokens, 2 * len(self.types) + 1), (self.entities, len(self.types) + 1)):
            if len(table) != size or any(len(row) != size for row in table):
                raise ValueError(f"a table must have {size} rows and as many columns")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of ``tokens``."""
        return label_names(self.types)

    @property
    def by_class(self) -> IntArray:
        """Tokens by type without B- and I-: O first, then the types; *shape:* (types + 1, types + 1)."""
        place = (np.arange(len(self.tokens)) + 1) // 2
        merged = np.zeros((len(self.types) + 1,) * 2, np.int64)
        np.add.at(merged, (place[:, None], place[None, :]), np.asarray(self.tokens, np.int64))
        return merged

    @property
    def accuracy(self) -> float:
        """The share of tokens with the right label, B- and I- told apart, O included."""
        tokens = np.asarray(self.tokens)
        return float(np.trace(tokens) / max(1, tokens.sum()))


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class in [0, 1], or of several; ``support`` is how many of it are gold."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def build_confusion(
    gold: IntArray,
    predicted: IntArray,
    sentence_offsets: IntArray,
    times: IntArray,
    types: Sequence[str],
    variant: str,
) -> Confusion:
    """Count what was taken for what, where each sentence counts ``times``.

    *Shape:* ``gold`` and ``predicted`` ``(tokens,)``, ``sentence_offsets`` ``(sentences + 1,)``, ``times``
    ``(sentences,)``.
    """
    size = 2 * len(types) + 1
    weights = np.repeat(times, np.diff(sentence_offsets))
    return Confusion(
        variant=variant,
        types=tuple(types),
        tokens=_table(np.asarray(gold, np.int64), np.asarray(predicted, np.int64), weights, size),
        entities=_entities(
            extract(gold, sentence_offsets),
            extract(predicted, sentence_offsets),
            sentence_offsets,
            times,
            len(types),
        ),
    )


def _entities(true: Spans, found: Spans, offsets: IntArray, times: IntArray, nothing: int) -> Table:
    _, in_true, in_found = np.intersect1d(
        _keys(true, offsets), _keys(found, offsets), assume_unique=True, return_indices=True
    )
    missed = np.setdiff1d(np.arange(len(true.starts)), in_true)
    spurious = np.setdiff1d(np.arange(len(found.starts)), in_found)
    gold = np.concatenate([true.types[in_true], true.types[missed], np.full(len(spurious), nothing)])
    guess = np.concatenate([found.types[in_found], np.full(len(missed), nothing), found.types[spurious]])
    starts = np.concatenate([true.starts[in_true], true.starts[missed], found.starts[spurious]])
    sentences = np.searchsorted(offsets, starts, side="right") - 1
    return _table(gold.astype(np.int64), guess.astype(np.int64), times[sentences], nothing + 1)


def _keys(spans: Spans, offsets: IntArray) -> IntArray:
    return spans.starts.astype(np.int64) * (int(offsets[-1]) + 1) + spans.ends


def _table(rows: IntArray, columns: IntArray, weights: IntArray, size: int) -> Table:
    # Weighted bincounts are float64, which is exact for counts below 2**53.
    counts = np.bincount(rows * size + columns, weights=weights, minlength=size * size).astype(np.int64)
    return tuple(tuple(map(int, row)) for row in counts.reshape(size, size))


def token_scores(confusion: Confusion) -> list[ClassScore]:
    """Every class of tokens, then micro and macro means, with O as a class and without.

    Micro with O is the share of tokens of the right class. A macro mean is over the classes that have a gold
    or a predicted token.
    """
    table = confusion.by_class
    names = (OUTSIDE, *confusion.types)
    counts = [(int(table[k, k]), int(table[:, k].sum()), int(table[k].sum())) for k in range(len(names))]
    each = [_scored(name, *count) for name, count in zip(names, counts, strict=True)]
    present = [bool(predicted or gold) for _, predicted, gold in counts]
    means = []
    for start, suffix in ((1, "without O"), (0, "with O")):
        total = tuple(sum(column) for column in zip(*counts[start:], strict=True)) or (0, 0, 0)
        means += [
            _scored(f"micro, {suffix}", *total),
            _macro(
                f"macro, {suffix}",
                [one for one, there in zip(each[start:], present[start:], strict=True) if there],
            ),
        ]
    return [*each[1:], each[0], *means]


def _scored(name: str, correct: int, predicted: int, gold: int) -> ClassScore:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return ClassScore(name, precision, recall, f1, gold)


def _macro(name: str, scores: Iterable[ClassScore]) -> ClassScore:
    present = list(scores)
    number = max(1, len(present))
    return ClassScore(
        name,
        sum(one.precision for one in present) / number,
        sum(one.recall for one in present) / number,
        sum(one.f1 for one in present) / number,
        sum(one.support for one in present),
    )


class Confusions(BaseModel):
    """The tables of a checkpoint, by split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: dict[str, Confusion]


def read_confusions(path: Path) -> dict[str, Confusion]:
    """The tables that stand in a file; none where there is no file.

    Raises
    ------
    UserError
        if it has problems.
    """
    if not path.exists():
        return {}
    return validate(Confusions, YamlFile(path, {"splits": read_json(path)}, {})).splits
