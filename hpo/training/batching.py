"""Encoded rows to padded batches of similar length, without Python per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from hpo.corpora.label_sets import BIO, LABEL_SETS
from hpo.training.encoding import CONTEXT, EncodedSplit, Ints, ranges

IGNORED = -100
"""The label that PyTorch's cross entropy leaves out."""
CHUNK = 100
"""Batches that are sorted by length together; fewer shuffle better, more pad less."""

Batch = dict[str, torch.Tensor]


class Rows(Dataset[Batch]):
    """The rows of some encodings, in the order of the encodings; one may stand more than once.

    ``self[[i, j, …]]`` is a padded batch: ``input_ids``, ``attention_mask``, where a label alignment is
    given ``labels``, and for a head that is ``pooled`` the ``words`` of `PooledTagger.forward`;
    *shape* of each: (rows, longest row), int64.
    """

    def __init__(
        self,
        split: EncodedSplit,
        encodings: Ints,
        pad_id: int,
        label_alignment: str | None = None,
        pooled: bool = False,
        label_set: str = BIO,
    ) -> None:
        first_rows = np.searchsorted(split.row_encodings, np.arange(len(split.sentences) + 1))
        rows = ranges(first_rows[encodings], np.diff(first_rows)[encodings])
        self.encodings = np.repeat(np.arange(len(encodings)), np.diff(first_rows)[encodings])
        self.starts = split.row_offsets[rows]
        self.lengths = split.row_offsets[rows + 1] - self.starts
        self._split = split
        self._ids = split.ids
        self._pad_id = pad_id
        self._pooled = pooled
        self._labels = None if label_alignment is None else subtoken_labels(split, label_alignment, label_set)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitems__(self, rows: Sequence[int] | Ints) -> Batch:
        """The padded batch of some rows."""
        return self.batch(rows, self._pooled)

    def batch(self, rows: Sequence[int] | Ints, pooled: bool) -> Batch:
        """The padded batch of some rows, for a head that is ``pooled`` or for one that is not."""
        chosen = np.asarray(rows)
        lengths = self.lengths[chosen]
        columns = np.arange(int(lengths.max()))
        real = columns < lengths[:, None]
        places = np.minimum(self.starts[chosen][:, None] + columns, len(self._ids) - 1)
        batch = {
            "input_ids": torch.from_numpy(np.where(real, self._ids[places], self._pad_id).astype(np.int64)),
            "attention_mask": torch.from_numpy(real.astype(np.int64)),
        }
        if self._labels is not None:
            batch["labels"] = torch.from_numpy(np.where(real, self._labels[places], IGNORED).astype(np.int64))
        if pooled:
            batch["words"] = torch.from_numpy(self._words(places, real))
        return batch

    def label_counts(self, labels: int) -> Ints:
        """How often each of so many labels is trained on in one pass; *shape:* (labels,)."""
        return np.pad(self._counts, (0, labels - len(self._counts)))

    @cached_property
    def _counts(self) -> Ints:  # every trial asks for them, and the rows outlive a trial
        if self._labels is None:
            raise ValueError("rows without a label alignment have no labels")
        trained = self._labels[ranges(self.starts, self.lengths)]
        return np.bincount(trained[trained != IGNORED])

    def _words(self, places: Ints, real: npt.NDArray[np.bool_]) -> Ints:
        """The column of the first subtoken of each subtoken's token, -1 where there is none."""
        tokens = np.where(real, self._split.tokens[places], CONTEXT)
        begins = np.ones_like(real)
        begins[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
        columns = np.arange(places.shape[1], dtype=np.int64)
        return np.where(tokens == CONTEXT, -1, np.maximum.accumulate(np.where(begins, columns, 0), axis=1))


def subtoken_labels(split: EncodedSplit, alignment: str, label_set: str = BIO) -> Ints:
    """What each subtoken is trained to say, `IGNORED` where nothing; *shape:* (subtokens,).

    ``first``: a token's first subtoken carries its label. ``all``: every subtoken does, and what
    follows the first of a ``B-`` says ``I-``. ``label_set`` is a name in `LABEL_SETS`.
    """
    first = split.first_subtokens()
    scheme = LABEL_SETS[label_set]
    labels = scheme.write(split.labels, split.sentence_offsets)
    labels = labels[split.tokens].astype(np.int32)  # the last token's where it is CONTEXT
    if alignment == "all":
        said = np.where(first, labels, scheme.inside(labels))
        return np.where(split.tokens != CONTEXT, said, IGNORED)
    return np.where(first, labels, IGNORED)


def in_parts(batch: Batch, parts: int) -> Iterator[Batch]:
    """A batch in at most so many parts of equal size, the last of which may be smaller."""
    for part in zip(*(tensor.chunk(parts) for tensor in batch.values()), strict=True):
        yield dict(zip(batch, part, strict=True))


class LengthGroupedBatches(Sampler[list[int]]):
    """Batches of rows of similar length, drawn anew each epoch from a seed.

    The rows are shuffled, sorted by length within chunks of `CHUNK` batches, and the batches are
    shuffled. `set_epoch` chooses the draw, so that a run that goes on in the middle of an epoch
    sees the batches that it would have seen.
    """

    def __init__(self, lengths: npt.NDArray[np.integer], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of an epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng([self.seed, self.epoch])
        order = generator.permutation(len(self.lengths))
        chunk = CHUNK * self.batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), chunk):
            rows = order[start : start + chunk]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches.extend(
                rows[at : at + self.batch_size].tolist() for at in range(0, len(rows), self.batch_size)
            )
        for place in generator.permutation(len(batches)):
            yield batches[place]
