"""The processes that train one model together, and how they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed


@dataclass(frozen=True)
class ProcessGroup:
    """One of ``count`` processes, by its number ``own`` from 0; the first leads: it measures and writes."""

    own: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> ProcessGroup:
        """What this process is: alone, unless a process group was begun in it."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls()

    @property
    def lead(self) -> bool:
        """Whether this process measures, reports and writes for all."""
        return self.own == 0

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a number over all processes, which all must ask for; *shape:* ()."""
        if self.count == 1:
            return value
        summed = value.clone()
        distributed.all_reduce(summed)
        return summed / self.count

    def told(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """The leader's numbers, in every process; the others give as many, which are not read."""
        if self.count == 1:
            return list(numbers)
        told = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.broadcast(told, src=0)
        return [float(number) for number in told.tolist()]

    def seed_per_rank(self, seed: int, step: int) -> None:
        """Have each process but the first draw its dropout for itself, by the seed and how far the run is.

        The leader's random state is in its snapshots; so a run that goes on draws as if it had not stopped.
        """
        if not self.lead:
            torch.manual_seed(int(np.random.SeedSequence([seed, self.own, step]).generate_state(1)[0]))
