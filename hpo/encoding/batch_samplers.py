"""Batch samplers: draw the batches of an epoch and plan the places of their windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from hpo.corpora.spans import IntArray
from hpo.encoding.packing import PackingPlan, pack_batches

BATCHES_PER_CHUNK = 100
"""Batches that are sorted by length together: a smaller chunk shuffles better, a larger one pads less."""


class RandomBatchSampler(Sampler[Any]):
    """Random batches with one window per row.

    ``seed`` and the epoch (`set_epoch`) determine the batches, so that a run that resumes within an epoch
    gets the batches that it would have had. In distributed training each of ``world_size`` processes gets its
    share of each batch: windows are dealt out by length. If a batch has fewer windows than there are
    processes, the remaining processes get a window without labels, which adds nothing to the gradient.
    Batches that are split into ``accumulation_steps`` micro-batches are planned to save memory.
    """

    def __init__(
        self,
        lengths: IntArray,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulation_steps: int = 1,
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self._rank, self._world_size, self._accumulation_steps = rank, world_size, accumulation_steps

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[PackingPlan]:
        batches = self._longest_first(self._draw(np.random.default_rng([self.seed, self.epoch])))
        missing = max(0, self._world_size - batches.shape[1])
        share = np.pad(batches, ((0, 0), (0, missing)), constant_values=-1)
        share = share[:, self._rank :: self._world_size]
        idle = share[:, 0] < 0
        share[idle, 0] = batches[idle, 0]
        for plan, is_idle in zip(self._plan(share), idle, strict=True):
            yield replace(plan, labelled=False) if is_idle else plan

    def _draw(self, generator: np.random.Generator) -> IntArray:
        """Return the epoch's batches; *shape:* (batches, windows), the last batch padded with -1."""
        return self._cut(generator.permutation(len(self.lengths)))

    def _plan(self, batches: IntArray) -> Iterator[PackingPlan]:
        for batch in batches:
            windows = batch[batch >= 0]
            yield PackingPlan.one_window_per_row(windows, self.lengths[windows])

    def _cut(self, order: IntArray) -> IntArray:
        size = min(self.batch_size, len(order))  # the corpus may be smaller than a batch
        missing = len(self) * size - len(order)
        return np.pad(order, (0, missing), constant_values=-1).reshape(-1, size)

    def _longest_first(self, batches: IntArray) -> IntArray:
        lengths = np.where(batches < 0, 0, self.lengths[batches])
        return np.take_along_axis(batches, np.argsort(-lengths, axis=1, kind="stable"), 1)


class PackedBatchSampler(RandomBatchSampler):
    """The same batches as `RandomBatchSampler`, with several windows per row."""

    def _plan(self, batches: IntArray) -> Iterator[PackingPlan]:
        return pack_batches(batches, self.lengths, narrow=self._accumulation_steps > 1)


class LengthGroupedBatchSampler(RandomBatchSampler):
    """Shuffled batches of windows of similar length, sorted within chunks of `BATCHES_PER_CHUNK` batches."""

    def _draw(self, generator: np.random.Generator) -> IntArray:
        order = generator.permutation(len(self.lengths))
        chunk = BATCHES_PER_CHUNK * self.batch_size
        for start in range(0, len(order), chunk):
            windows = order[start : start + chunk]
            order[start : start + chunk] = windows[np.argsort(self.lengths[windows], kind="stable")]
        return generator.permutation(self._cut(order))
