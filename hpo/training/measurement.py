"""What a trial reports at each evaluation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measurement:
    """One dev evaluation of a trial.

    ``epoch`` is how many passes are done (0.25, 0.5, …), ``step`` how many optimizer steps; ``f1``,
    ``precision`` and ``recall`` are micro scores in [0, 1] of the trained-on variant; ``loss`` and
    ``train_loss`` are mean cross entropies in nats, the latter since the evaluation before;
    ``seconds`` count from the trial's start.
    """

    epoch: float
    step: int
    f1: float
    precision: float
    recall: float
    loss: float
    train_loss: float
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """What trials are compared by: F1, and where it ties, the lower dev loss."""
        return (self.f1, -self.loss)

    @property
    def finite(self) -> bool:
        """Whether nothing in it has diverged."""
        return all(map(math.isfinite, (self.f1, self.loss, self.train_loss)))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return asdict(self)
