"""Confusion tables of tokens by label and of entities by type, and the token scores of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from hpo.corpora.spans import IntArray, Spans, extract, label_names
from hpo.storage.atomic import read_json
from hpo.storage.yaml_files import YamlFile, validate

OUTSIDE = "O"
NO_ENTITY = "none"
"""Name of the last row (spurious entities) and the last column (missed entities) of the entity table."""

Table = tuple[tuple[int, ...], ...]


class Confusion(BaseModel):
    """Counts of one split in one case variant; gold in the rows, predicted in the columns.

    *Shape:* ``tokens`` ``(labels, labels)``, the labels in the order of their numbers: O, then B- and I-
    of each type. ``entities`` ``(types + 1, types + 1)``: entities with the same tokens, by type; the last
    row counts spurious entities and the last column missed ones. An entity with a wrong boundary counts
    as one missed and one spurious entity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    types: tuple[str, ...]
    tokens: Table
    entities: Table

    @model_validator(mode="after")
    def _check_table_sizes(self) -> Confusion:
        for table, size in ((self.tokens, 2 * len(self.types) + 1), (self.entities, len(self.types) + 1)):
            if len(table) != size or any(len(row) != size for row in table):
                raise ValueError(f"a table must have {size} rows and {size} columns")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the rows and columns of ``tokens``."""
        return label_names(self.types)

    @property
    def by_class(self) -> IntArray:
        """Tokens by class, B- and I- merged: O first, then the types; *shape:* (types + 1, types + 1).

        Label numbers 0, 1, 2, 3, 4 (O, B-x, I-x, B-y, I-y) are the classes 0, 1, 1, 2, 2.
        """
        classes = (np.arange(len(self.tokens)) + 1) // 2
        merged = np.zeros((len(self.types) + 1,) * 2, np.int64)
        np.add.at(merged, (classes[:, None], classes[None, :]), np.asarray(self.tokens, np.int64))
        return merged

    @property
    def accuracy(self) -> float:
        """The share of tokens with the correct label; B- and I- are distinct, O is included."""
        tokens = np.asarray(self.tokens)
        return float(np.trace(tokens) / max(1, tokens.sum()))


@dataclass(frozen=True)
class ClassScore:
    """Scores in [0, 1] of one class, or their mean over several; ``support`` counts its gold items."""

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
    """Count the confusions of labels and entities; each sentence counts ``times``.

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


def _entities(true: Spans, found: Spans, offsets: IntArray, times: IntArray, n_types: int) -> Table:
    """Match spans of equal start and end, and number "no entity" ``n_types``.

    With gold PER at tokens 0-2 and LOC at 3-4, and predicted PER at 0-2 and LOC at 3-5 (types 0 and 1):
    one match (0, 0), one missed (1, 2), one spurious (2, 1).
    """
    _, in_true, in_found = np.intersect1d(
        _keys(true, offsets), _keys(found, offsets), assume_unique=True, return_indices=True
    )
    missed = np.setdiff1d(np.arange(len(true.starts)), in_true)
    spurious = np.setdiff1d(np.arange(len(found.starts)), in_found)
    gold = np.concatenate([true.types[in_true], true.types[missed], np.full(len(spurious), n_types)])
    predicted = np.concatenate([found.types[in_found], np.full(len(missed), n_types), found.types[spurious]])
    starts = np.concatenate([true.starts[in_true], true.starts[missed], found.starts[spurious]])
    sentences = np.searchsorted(offsets, starts, side="right") - 1
    return _table(gold.astype(np.int64), predicted.astype(np.int64), times[sentences], n_types + 1)


def _keys(spans: Spans, offsets: IntArray) -> IntArray:
    """One integer for each span's start and end."""
    return spans.starts.astype(np.int64) * (int(offsets[-1]) + 1) + spans.ends


def _table(rows: IntArray, columns: IntArray, weights: IntArray, size: int) -> Table:
    """Sum the weights of each cell: row 1, column 2 of size 3 is bin 1 * 3 + 2."""
    # Weighted bincounts are float64, which is exact for counts below 2**53.
    counts = np.bincount(rows * size + columns, weights=weights, minlength=size * size).astype(np.int64)
    return tuple(tuple(map(int, row)) for row in counts.reshape(size, size))


def token_scores(confusion: Confusion) -> list[ClassScore]:
    """Return the scores of every token class, then micro and macro means without and with O.

    Micro with O is the share of tokens with the correct class. A macro mean covers the classes that have a
    gold or a predicted token.
    """
    table = confusion.by_class
    names = (OUTSIDE, *confusion.types)
    counts = [(int(table[k, k]), int(table[:, k].sum()), int(table[k].sum())) for k in range(len(names))]
    classes = [_class_score(name, *count) for name, count in zip(names, counts, strict=True)]
    present = [bool(predicted or gold) for _, predicted, gold in counts]
    means = []
    for start, suffix in ((1, "without O"), (0, "with O")):
        total = tuple(sum(column) for column in zip(*counts[start:], strict=True)) or (0, 0, 0)
        means += [
            _class_score(f"micro, {suffix}", *total),
            _macro(
                f"macro, {suffix}",
                [score for score, occurs in zip(classes[start:], present[start:], strict=True) if occurs],
            ),
        ]
    return [*classes[1:], classes[0], *means]


def _class_score(name: str, correct: int, predicted: int, gold: int) -> ClassScore:
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return ClassScore(name, precision, recall, f1, gold)


def _macro(name: str, scores: Sequence[ClassScore]) -> ClassScore:
    number = max(1, len(scores))
    return ClassScore(
        name,
        sum(score.precision for score in scores) / number,
        sum(score.recall for score in scores) / number,
        sum(score.f1 for score in scores) / number,
        sum(score.support for score in scores),
    )


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: dict[str, Confusion]


def read_confusions(path: Path) -> dict[str, Confusion]:
    """Read the confusion tables of a file, by split; empty if the file does not exist.

    Raises
    ------
    UserError
        If the file is invalid.
    """
    if not path.exists():
        return {}
    return validate(_Stored, YamlFile(path, {"splits": read_json(path)}, {})).splits
