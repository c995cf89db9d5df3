"""The labels that a model is trained to say: IOB2, plain types, or BILOU, made of IOB2 numbers and read back.

Gold labels and scores are IOB2 everywhere else; a model's own labels are numbered in the order of its
`LabelSet.names`, ``O`` first, then each entity type with every part that the scheme has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from hpo.corpora.spans import BoolArray, IntArray

BIO, PLAIN, BILOU, AUTO = "bio", "plain", "bilou", "auto"
DEFAULT_LABEL_SETS: Mapping[str, str] = {
    "plain": PLAIN, "IOB1": BIO, "IOB2": BIO, "BIOES": BILOU, "BILOU": BILOU, "BMES": BILOU
}  # fmt: skip
"""For each scheme that a corpus may be written in, the label set in which ``auto`` trains."""


@dataclass(frozen=True)
class LabelSet:
    """The parts of an entity that a scheme tells apart, and how it is made of IOB2 and read back.

    *Shape:* labels ``(tokens,)`` and sentence offsets ``(sentences + 1,)`` to labels ``(tokens,)``.
    """

    parts: tuple[str, ...]
    from_iob2: Callable[[IntArray, IntArray], IntArray]
    to_iob2: Callable[[IntArray, IntArray], IntArray]

    def names(self, types: Sequence[str]) -> tuple[str, ...]:
        """The labels of some entity types, in the order of their numbers."""
        return ("O", *chain.from_iterable((f"{part}{name}" for part in self.parts) for name in types))

    def inside(self, labels: IntArray) -> IntArray:
        """What the subtokens behind a token's first one say: its label, but ``I-`` for a ``B-``."""
        begins = (labels % len(self.parts) == 1) if "B-" in self.parts else np.zeros(len(labels), bool)
        return np.asarray(labels + begins)


def _as_it_stands(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    return labels


def _edges(labels: IntArray, sentence_offsets: IntArray) -> tuple[IntArray, BoolArray, BoolArray]:
    """Of IOB2 labels each token's type, -1 outside, and whether it begins and whether it ends an entity."""
    types = (labels.astype(np.int32) - 1) >> 1
    first = _first(labels, sentence_offsets)
    begins = first[:-1] | (labels % 2 == 1)
    begins[1:] |= types[1:] != types[:-1]
    begins &= types >= 0
    ends = first[1:].copy()
    ends[:-1] |= begins[1:] | (types[1:] < 0)
    return types, begins, ends & (types >= 0)


def _first(labels: IntArray, sentence_offsets: IntArray) -> BoolArray:
    first = np.zeros(len(labels) + 1, np.bool_)
    first[sentence_offsets] = True
    return first


def _write_plain(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    return np.asarray((labels.astype(np.int32) + 1) >> 1)


def _read_plain(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    begins = _first(labels, sentence_offsets)[:-1]
    begins[1:] |= labels[1:] != labels[:-1]
    return np.where(labels > 0, 2 * labels - begins, 0)


def _write_bilou(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    types, begins, ends = _edges(labels, sentence_offsets)
    part = np.where(begins, np.where(ends, 3, 0), np.where(ends, 2, 1))
    return np.where(types >= 0, 1 + 4 * types + part, 0)


def _read_bilou(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    # As `hpo.corpora.label_schemes` reads a corpus: what continues nothing begins an entity.
    types, part = np.divmod(labels - 1, 4)
    is_open = (labels > 0) & (part < 2)
    continues = (part == 1) | (part == 2)
    continues &= ~_first(labels, sentence_offsets)[:-1]
    continues[1:] &= is_open[:-1] & (types[1:] == types[:-1])
    return np.where(labels > 0, 1 + 2 * types + continues, 0)


LABEL_SETS: Mapping[str, LabelSet] = {
    BIO: LabelSet(("B-", "I-"), _as_it_stands, _as_it_stands),
    PLAIN: LabelSet(("",), _write_plain, _read_plain),
    BILOU: LabelSet(("B-", "I-", "L-", "U-"), _write_bilou, _read_bilou),
}


def detect_label_set(names: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The label set, by name, and the entity types that make just these labels; None if no set does."""
    for scheme, labels in LABEL_SETS.items():
        held = names[1 :: len(labels.parts)]
        types = tuple(name.removeprefix(labels.parts[0]) for name in held)
        prefixed = scheme == PLAIN and any(name[1:2] == "-" for name in types)
        if types and not prefixed and labels.names(types) == tuple(names):
            return scheme, types
    return None


def count_adjacent(labels: IntArray, sentence_offsets: IntArray) -> tuple[int, int]:
    """How many entities stand right behind one of their type, which plain labels join, and of how many."""
    types, begins, _ = _edges(labels, sentence_offsets)
    first = _first(labels, sentence_offsets)[:-1]
    return int((begins[1:] & ~first[1:] & (types[1:] == types[:-1])).sum()), int(begins.sum())
