"""Encoded rows to batches, without Python per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import Dataset

from hpo.corpora.label_sets import BIO, LABEL_SETS
from hpo.corpora.spans import IntArray
from hpo.encoding.encoded_corpus import EncodedSplit
from hpo.encoding.packing import PackingPlan
from hpo.encoding.ragged import concatenate_ranges
from hpo.encoding.windows import UNSCORED

IGNORE_INDEX = -100
"""The label that PyTorch's cross entropy leaves out."""

PLACES = ("sentences", "columns")
"""What a placed batch says of where its rows stand, of which models are told in ways of their own."""

Batch = dict[str, torch.Tensor]


class WindowDataset(Dataset[Batch]):
    """The rows of some encodings, in the order of the encodings; one may stand more than once.

    ``self[[i, j, …]]`` is a padded batch: ``input_ids``, ``attention_mask``, where a label alignment is
    given ``labels``, and for a head that is ``pooled`` the ``words`` of `PooledTagger.forward`;
    *shape* of each: (rows, longest row), int64. ``self[placement]`` is one whose rows share its lines: in
    place of the mask it has ``sentences``, the number of each subtoken's row from 1, and ``columns``, its
    place in that row; both are 0 in the padding. ``words`` are columns of the batch in either.
    """

    def __init__(
        self,
        split: EncodedSplit,
        encodings: IntArray,
        pad_id: int,
        label_alignment: str | None = None,
        pooled: bool = False,
        label_set: str = BIO,
    ) -> None:
        first_rows = np.searchsorted(split.window_encodings, np.arange(len(split.sentences) + 1))
        rows = concatenate_ranges(first_rows[encodings], np.diff(first_rows)[encodings])
        self.encodings = np.repeat(np.arange(len(encodings)), np.diff(first_rows)[encodings])
        self.starts = split.window_offsets[rows]
        self.lengths = split.window_offsets[rows + 1] - self.starts
        self._split = split
        self._ids = split.ids
        self._pad_id = pad_id
        self._pooled = pooled
        self._labels = None if label_alignment is None else label_subtokens(split, label_alignment, label_set)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitems__(self, rows: Sequence[int] | IntArray | PackingPlan) -> Batch:
        """The batch of some rows."""
        return self.place(rows) if isinstance(rows, PackingPlan) else self.batch(rows, self._pooled)

    def batch(self, rows: Sequence[int] | IntArray, pooled: bool) -> Batch:
        """The padded batch of some rows, for a head that is ``pooled`` or for one that is not."""
        chosen = np.asarray(rows)
        return alone(self._laid_out(PackingPlan.one_window_per_row(chosen, self.lengths[chosen]), pooled))

    def place(self, placement: PackingPlan) -> Batch:
        """The batch of some rows that share its lines."""
        return self._laid_out(placement, self._pooled)

    def _laid_out(self, placement: PackingPlan, pooled: bool) -> Batch:
        lengths = self.lengths[placement.rows]
        size = placement.height * placement.width
        places = concatenate_ranges(placement.lines * placement.width + placement.columns, lengths)
        subtokens = concatenate_ranges(self.starts[placement.rows], lengths)

        def filled(values: IntArray, padding: int) -> IntArray:
            whole = np.full(size, padding, np.int64)
            whole[places] = values
            return whole.reshape(placement.height, placement.width)

        laid_out = {
            "input_ids": filled(self._ids[subtokens], self._pad_id),
            "sentences": filled(np.repeat(np.arange(1, len(lengths) + 1), lengths), 0),
            "columns": filled(concatenate_ranges(np.zeros_like(lengths), lengths), 0),
        }
        if self._labels is not None:
            labels = self._labels[subtokens] if placement.labelled else np.full(len(subtokens), IGNORE_INDEX)
            laid_out["labels"] = filled(labels, IGNORE_INDEX)
        if pooled:
            laid_out["words"] = _words(filled(self._split.tokens[subtokens], UNSCORED))
        return {name: torch.from_numpy(values) for name, values in laid_out.items()}

    def label_counts(self, labels: int) -> IntArray:
        """How often each of so many labels is trained on in one pass; *shape:* (labels,)."""
        return np.pad(self._counts, (0, labels - len(self._counts)))

    @cached_property
    def _counts(self) -> IntArray:  # every trial asks for them, and the rows outlive a trial
        if self._labels is None:
            raise ValueError("rows without a label alignment have no labels")
        trained = self._labels[concatenate_ranges(self.starts, self.lengths)]
        return np.bincount(trained[trained != IGNORE_INDEX])


def _words(tokens: IntArray) -> IntArray:
    """The column of the first subtoken of each subtoken's token, -1 where it is `UNSCORED`."""
    begins = np.ones(tokens.shape, bool)
    begins[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    columns = np.arange(tokens.shape[1], dtype=np.int64)
    return np.where(tokens == UNSCORED, -1, np.maximum.accumulate(np.where(begins, columns, 0), axis=1))


def label_subtokens(split: EncodedSplit, alignment: str, label_set: str = BIO) -> IntArray:
    """What each subtoken is trained to say, `IGNORE_INDEX` where nothing; *shape:* (subtokens,).

    ``first``: a token's first subtoken carries its label. ``all``: every subtoken does, and what
    follows the first of a ``B-`` says ``I-``. ``label_set`` is a name in `LABEL_SETS`.
    """
    first = split.first_subtokens()
    scheme = LABEL_SETS[label_set]
    labels = scheme.from_iob2(split.labels, split.sentence_offsets)
    labels = labels[split.tokens].astype(np.int32)  # the last token's where it is UNSCORED
    if alignment == "all":
        said = np.where(first, labels, scheme.inside(labels))
        return np.where(split.tokens != UNSCORED, said, IGNORE_INDEX)
    return np.where(first, labels, IGNORE_INDEX)


def alone(batch: Batch) -> Batch:
    """A placed batch whose rows have a line each, as every model reads it."""
    return told(batch, attention_mask=batch["sentences"].clamp(max=1))


def told(batch: Batch, **instead: torch.Tensor) -> Batch:
    """A placed batch with what a model reads in place of where its rows stand."""
    return {name: part for name, part in batch.items() if name not in PLACES} | instead


def micro_batches(batch: Batch, parts: int) -> Iterator[Batch]:
    """A batch in at most so many parts of equal size, the last of which may be smaller."""
    for part in zip(*(tensor.chunk(parts) for tensor in batch.values()), strict=True):
        yield dict(zip(batch, part, strict=True))
