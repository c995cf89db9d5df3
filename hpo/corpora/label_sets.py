"""The labels that a model predicts: plain types, IOB2 or BILOU, converted from and to numbered IOB2 labels.

Gold labels and scores use IOB2 everywhere else. A model's labels are numbered in the order of
`LabelSet.names`: ``O`` first, then each entity type with every prefix of the set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from hpo.corpora.spans import IntArray, entity_boundaries, sentence_starts

BIO, PLAIN, BILOU, AUTO = "bio", "plain", "bilou", "auto"
DEFAULT_LABEL_SETS: Mapping[str, str] = {
    "plain": PLAIN, "IOB1": BIO, "IOB2": BIO, "BIOES": BILOU, "BILOU": BILOU, "BMES": BILOU
}  # fmt: skip
"""The label set that ``auto`` selects for a corpus, by the corpus's label scheme."""


@dataclass(frozen=True)
class LabelSet:
    """The prefixes of a label set, and the functions that convert numbered labels from and to IOB2.

    *Shape:* both functions map labels ``(tokens,)`` and sentence offsets ``(sentences + 1,)`` to labels
    ``(tokens,)``.
    """

    prefixes: tuple[str, ...]
    from_iob2: Callable[[IntArray, IntArray], IntArray]
    to_iob2: Callable[[IntArray, IntArray], IntArray]

    def names(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of these entity types, in the order of their numbers."""
        return ("O", *chain.from_iterable((f"{prefix}{name}" for prefix in self.prefixes) for name in types))

    def continuation(self, labels: IntArray) -> IntArray:
        """Return the labels of a token's second and later subtokens: ``I-`` for a ``B-``, else unchanged."""
        begins = (labels % len(self.prefixes) == 1) if "B-" in self.prefixes else np.zeros(len(labels), bool)
        return np.asarray(labels + begins)


def _unchanged(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    return labels


def _plain_from_iob2(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    """Drop the prefixes: ``O B-0 I-0 B-1`` = ``[0, 1, 2, 3]`` becomes ``[0, 1, 1, 2]``."""
    return np.asarray((labels.astype(np.int32) + 1) >> 1)


def _plain_to_iob2(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    """Join equal neighbours of a sentence: ``[0, 1, 1, 2]`` becomes ``O B-0 I-0 B-1`` = ``[0, 1, 2, 3]``."""
    begins = sentence_starts(len(labels), sentence_offsets)[:-1]
    begins[1:] |= labels[1:] != labels[:-1]
    return np.where(labels > 0, 2 * labels - begins, 0)


def _bilou_from_iob2(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    """Mark ends and units: ``B-0 I-0 B-0`` = ``[1, 2, 1]`` becomes ``B-0 L-0 U-0`` = ``[1, 3, 4]``."""
    types, begins, ends = entity_boundaries(labels, sentence_offsets)
    prefix = np.where(begins, np.where(ends, 3, 0), np.where(ends, 2, 1))
    return np.where(types >= 0, 1 + 4 * types + prefix, 0)


def _bilou_to_iob2(labels: IntArray, sentence_offsets: IntArray) -> IntArray:
    """Read ``I-`` and ``L-`` as ``I-`` if they continue an open entity of their type, else as ``B-``.

    Example: ``B-0 L-0 L-0`` = ``[1, 3, 3]`` becomes ``B-0 I-0 B-0`` = ``[1, 2, 1]``, the same as
    `hpo.corpora.label_schemes` reads it in a corpus.
    """
    types, prefix = np.divmod(labels - 1, 4)
    is_open = (labels > 0) & (prefix < 2)
    continues = (prefix == 1) | (prefix == 2)
    continues &= ~sentence_starts(len(labels), sentence_offsets)[:-1]
    continues[1:] &= is_open[:-1] & (types[1:] == types[:-1])
    return np.where(labels > 0, 1 + 2 * types + continues, 0)


LABEL_SETS: Mapping[str, LabelSet] = {
    BIO: LabelSet(("B-", "I-"), _unchanged, _unchanged),
    PLAIN: LabelSet(("",), _plain_from_iob2, _plain_to_iob2),
    BILOU: LabelSet(("B-", "I-", "L-", "U-"), _bilou_from_iob2, _bilou_to_iob2),
}


def detect_label_set(names: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the name of the label set and the entity types that produce exactly these labels, or None."""
    for label_set, labels in LABEL_SETS.items():
        first = names[1 :: len(labels.prefixes)]
        types = tuple(name.removeprefix(labels.prefixes[0]) for name in first)
        prefixed = label_set == PLAIN and any(name[1:2] == "-" for name in types)
        if types and not prefixed and labels.names(types) == tuple(names):
            return label_set, types
    return None


def count_adjacent(labels: IntArray, sentence_offsets: IntArray) -> tuple[int, int]:
    """Count the entities that directly follow one of their type, which plain labels join; and all."""
    types, begins, _ = entity_boundaries(labels, sentence_offsets)
    first = sentence_starts(len(labels), sentence_offsets)[:-1]
    return int((begins[1:] & ~first[1:] & (types[1:] == types[:-1])).sum()), int(begins.sum())
