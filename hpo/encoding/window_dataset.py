"""A PyTorch dataset of windows that builds whole batches, without a Python loop over their windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import Dataset

from hpo.corpora.label_sets import BIO, LABEL_SETS
from hpo.corpora.spans import IntArray
from hpo.encoding.encoded_split import EncodedSplit
from hpo.encoding.packing import PackingPlan
from hpo.encoding.ragged import concatenate_ranges
from hpo.encoding.windows import UNSCORED

IGNORE_INDEX = -100
"""The label that PyTorch's cross entropy ignores."""

PACKING_KEYS = ("segment_ids", "positions")
"""The tensors of a packed batch that `hpo.models.packed_attention` turns into a model's inputs."""

Batch = dict[str, torch.Tensor]


class WindowDataset(Dataset[Batch]):
    """The windows of some encodings, in the order of the encodings; an encoding may occur more than once.

    ``self[[i, j, …]]`` is a padded batch: ``input_ids``, ``attention_mask``, ``labels`` if a label alignment
    is given, and ``token_starts`` of `PooledTagger.forward` if ``pooled``; *shape* of each: (windows, longest
    window), int64.

    ``self[plan]`` is a packed batch, with several windows per row. It has no ``attention_mask``, but
    ``segment_ids``, the number of each subtoken's window counted from 1, and ``positions``, the place of each
    subtoken in its window. Both are 0 in the padding. ``token_starts`` always holds columns of the batch.
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
        bounds = np.searchsorted(split.window_encodings, np.arange(len(split.encoding_sentences) + 1))
        counts = np.diff(bounds)[encodings]
        windows = concatenate_ranges(bounds[encodings], counts)
        self.encodings = np.repeat(np.arange(len(encodings)), counts)
        self.starts = split.window_offsets[windows]
        self.lengths = split.window_offsets[windows + 1] - self.starts
        self._split = split
        self._ids = split.ids
        self._pad_id = pad_id
        self._pooled = pooled
        self._labels = None if label_alignment is None else label_subtokens(split, label_alignment, label_set)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitems__(self, windows: Sequence[int] | IntArray | PackingPlan) -> Batch:
        """Return the batch of some windows."""
        if isinstance(windows, PackingPlan):
            return self.packed_batch(windows)
        return self.padded_batch(windows, self._pooled)

    def padded_batch(self, windows: Sequence[int] | IntArray, pooled: bool) -> Batch:
        """Return the batch of some windows, one per row, with ``token_starts`` if ``pooled``."""
        chosen = np.asarray(windows)
        plan = PackingPlan.one_window_per_row(chosen, self.lengths[chosen])
        return padded_inputs(self._build(plan, pooled))

    def packed_batch(self, plan: PackingPlan) -> Batch:
        """Return the batch that a plan describes."""
        return self._build(plan, self._pooled)

    def _build(self, plan: PackingPlan, pooled: bool) -> Batch:
        lengths = self.lengths[plan.windows]
        size = plan.height * plan.width
        places = concatenate_ranges(plan.rows * plan.width + plan.columns, lengths)
        subtokens = concatenate_ranges(self.starts[plan.windows], lengths)

        def scatter(values: IntArray, padding: int) -> IntArray:
            batch = np.full(size, padding, np.int64)
            batch[places] = values
            return batch.reshape(plan.height, plan.width)

        batch = {
            "input_ids": scatter(self._ids[subtokens], self._pad_id),
            "segment_ids": scatter(np.repeat(np.arange(1, len(lengths) + 1), lengths), 0),
            "positions": scatter(concatenate_ranges(np.zeros_like(lengths), lengths), 0),
        }
        if self._labels is not None:
            labels = self._labels[subtokens] if plan.labelled else np.full(len(subtokens), IGNORE_INDEX)
            batch["labels"] = scatter(labels, IGNORE_INDEX)
        if pooled:
            batch["token_starts"] = _token_starts(scatter(self._split.tokens[subtokens], UNSCORED))
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    def label_counts(self, labels: int) -> IntArray:
        """Count how often each label is trained on in one epoch; *shape:* (labels,)."""
        return np.pad(self._counts, (0, labels - len(self._counts)))

    @cached_property
    def _counts(self) -> IntArray:  # cached because the dataset outlives a trial
        if self._labels is None:
            raise ValueError("a WindowDataset without a label alignment has no labels")
        trained = self._labels[concatenate_ranges(self.starts, self.lengths)]
        return np.bincount(trained[trained != IGNORE_INDEX])


def _token_starts(tokens: IntArray) -> IntArray:
    """Return for each subtoken the column of its token's first subtoken, -1 where it is `UNSCORED`.

    *Shape:* ``tokens`` and the result (rows, columns).

    >>> _token_starts(np.array([[-1, 0, 0, 0, 1, -1]])).tolist()
    [[-1, 1, 1, 1, 4, -1]]
    """
    begins = np.ones(tokens.shape, bool)
    begins[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    columns = np.arange(tokens.shape[1], dtype=np.int64)
    starts = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
    return np.where(tokens == UNSCORED, -1, starts)


def label_subtokens(split: EncodedSplit, alignment: str, label_set: str = BIO) -> IntArray:
    """Return the label that each subtoken is trained on, or `IGNORE_INDEX`; *shape:* (subtokens,).

    With ``first``, the first subtoken of a token carries its label. With ``all``, every subtoken does, and
    those after the first carry ``I-`` instead of ``B-``. ``label_set`` is a name in `LABEL_SETS`.
    """
    first = split.first_subtokens()
    scheme = LABEL_SETS[label_set]
    labels = scheme.from_iob2(split.labels, split.sentence_offsets)
    labels = labels[split.tokens].astype(np.int32)  # arbitrary where UNSCORED; masked below
    if alignment == "all":
        labels = np.where(first, labels, scheme.continuation(labels))
        return np.where(split.tokens != UNSCORED, labels, IGNORE_INDEX)
    return np.where(first, labels, IGNORE_INDEX)


def padded_inputs(batch: Batch) -> Batch:
    """Replace the packing tensors of a batch with one window per row by a plain attention mask."""
    return replace_packing(batch, attention_mask=batch["segment_ids"].clamp(max=1))


def replace_packing(batch: Batch, **inputs: torch.Tensor) -> Batch:
    """Return a batch with model inputs in place of `PACKING_KEYS`."""
    return {name: tensor for name, tensor in batch.items() if name not in PACKING_KEYS} | inputs


def micro_batches(batch: Batch, count: int) -> Iterator[Batch]:
    """Split a batch by rows into at most ``count`` parts of equal size; the last may be smaller."""
    for part in zip(*(tensor.chunk(count) for tensor in batch.values()), strict=True):
        yield dict(zip(batch, part, strict=True))
