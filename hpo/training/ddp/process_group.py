"""Collective operations of the processes that train one model together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed


@dataclass(frozen=True)
class ProcessGroup:
    """This process, ``rank`` of ``world_size``; rank 0 is the main process, which evaluates and writes."""

    rank: int = 0
    world_size: int = 1

    @classmethod
    def current(cls) -> ProcessGroup:
        """Return the process group of this process, or a group of one if none is initialized."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls()

    @property
    def is_main(self) -> bool:
        """Whether this process evaluates, reports and writes for all processes."""
        return self.rank == 0

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean of a number over all processes, which must all call this; *shape:* ()."""
        if self.world_size == 1:
            return value
        summed = value.clone()
        distributed.all_reduce(summed)
        return summed / self.world_size

    def broadcast(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """Return the main process's numbers in every process; the others pass as many, which are ignored."""
        if self.world_size == 1:
            return list(numbers)
        values = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.broadcast(values, src=0)
        return [float(number) for number in values.tolist()]

    def seed_per_rank(self, seed: int, step: int) -> None:
        """Seed dropout in all processes but the main one, from the seed, the rank and the step.

        The snapshot holds the random state of the main process. Together they make a resumed run draw the
        same numbers as an uninterrupted one.
        """
        if not self.is_main:
            torch.manual_seed(int(np.random.SeedSequence([seed, self.rank, step]).generate_state(1)[0]))
