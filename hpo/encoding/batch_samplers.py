"""The batches of an epoch: which rows stand in each, and where in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from hpo.corpora.spans import IntArray
from hpo.encoding.packing import PackingPlan, pack

CHUNK = 100
"""Batches that are sorted by length together; fewer shuffle better, more pad less."""


class RandomBatchSampler(Sampler[Any]):
    """Batches of rows, drawn anew each epoch from a seed, each row on a line of its own.

    `set_epoch` chooses the draw, so that a run that goes on in the middle of an epoch sees the batches that
    it would have seen. Of ``count`` processes the one with the number ``own`` takes its share of each: rows
    are dealt out by their length, and a process that would go without, since there are fewer of them than
    processes, takes one that has no labels, and so no part in the gradient. A batch that is taken in
    ``parts`` is laid out so that they save memory.
    """

    def __init__(
        self, lengths: IntArray, batch_size: int, seed: int, own: int = 0, count: int = 1, parts: int = 1
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self._own, self._count, self._parts = own, count, parts

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of an epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[PackingPlan]:
        batches = self._longest_first(self._draw(np.random.default_rng([self.seed, self.epoch])))
        missing = max(0, self._count - batches.shape[1])
        own = np.pad(batches, ((0, 0), (0, missing)), constant_values=-1)[:, self._own :: self._count]
        idle = own[:, 0] < 0
        own[idle, 0] = batches[idle, 0]
        for placement, fills in zip(self._place(own), idle, strict=True):
            yield replace(placement, labelled=False) if fills else placement

    def _draw(self, generator: np.random.Generator) -> IntArray:
        """The epoch's batches; *shape:* (batches, rows), -1 where the last has no more."""
        return self._cut(generator.permutation(len(self.lengths)))

    def _place(self, batches: IntArray) -> Iterator[PackingPlan]:
        for rows in batches:
            held = rows[rows >= 0]
            yield PackingPlan.one_window_per_row(held, self.lengths[held])

    def _cut(self, order: IntArray) -> IntArray:
        size = min(self.batch_size, len(order))  # which may be far fewer than a batch is to have
        missing = len(self) * size - len(order)
        return np.pad(order, (0, missing), constant_values=-1).reshape(-1, size)

    def _longest_first(self, batches: IntArray) -> IntArray:
        lengths = np.where(batches < 0, 0, self.lengths[batches])
        return np.take_along_axis(batches, np.argsort(-lengths, axis=1, kind="stable"), 1)


class PackedBatchSampler(RandomBatchSampler):
    """The same batches, whose rows share their lines."""

    def _place(self, batches: IntArray) -> Iterator[PackingPlan]:
        return pack(batches, self.lengths, narrow=self._parts > 1)


class LengthGroupedBatchSampler(RandomBatchSampler):
    """Batches of rows of similar length: sorted within chunks of `CHUNK` batches, which are shuffled then."""

    def _draw(self, generator: np.random.Generator) -> IntArray:
        order = generator.permutation(len(self.lengths))
        chunk = CHUNK * self.batch_size
        for start in range(0, len(order), chunk):
            rows = order[start : start + chunk]
            order[start : start + chunk] = rows[np.argsort(self.lengths[rows], kind="stable")]
        return generator.permutation(self._cut(order))
