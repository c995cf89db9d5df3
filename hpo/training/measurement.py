"""What a trial reports at each evaluation, and what it knows of itself when it is cut off there."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hpo.training.early_stopping import EarlyStopping


class WorkerDied(RuntimeError):
    """A process of a trial died; the trial itself is sound, and can go on elsewhere from its snapshot."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One dev evaluation of a trial.

    ``epoch`` is how many passes are done (0.25, 0.5, …), ``step`` how many optimizer steps; ``f1``,
    ``precision`` and ``recall`` are micro scores in [0, 1] of the trained-on variant; ``loss`` and
    ``train_loss`` are mean cross entropies in nats, the latter since the evaluation before
    and smoothed and weighted as the training configuration asks; ``seconds`` count from the trial's start;
    ``accuracy``
    is the share of dev tokens with the right label, in [0, 1], None in journals that were written without it.
    """

    epoch: float
    step: int
    f1: float
    precision: float
    recall: float
    loss: float
    train_loss: float
    seconds: float
    accuracy: float | None = None

    @property
    def sort_key(self) -> tuple[float, float]:
        """What trials are compared by: F1, and where it ties, the lower dev loss."""
        return (self.f1, -self.loss)

    @property
    def finite(self) -> bool:
        """Whether nothing in it has diverged."""
        return all(map(math.isfinite, (self.f1, self.loss, self.train_loss)))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return asdict(self)


SNAPSHOT_FILE = "snapshot.json"


@dataclass(frozen=True)
class Snapshot:
    """What a run knows of itself besides its tensors: its last and its best measurement, and its pace.

    ``best`` is what a later measurement must exceed to have its model kept; None in a run that began as
    another's copy and has none of its own. ``patience`` is how far the run's has gone.
    """

    last: Measurement
    best: Measurement | None
    steps_per_epoch: int
    patience: EarlyStopping = field(default_factory=EarlyStopping)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return {
            "last": self.last.to_json(),
            "best": self.best.to_json() if self.best else None,
            "steps_per_epoch": self.steps_per_epoch,
            "patience": self.patience.to_json(),
        }


def read_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot in a folder, or None where there is none that is whole."""
    try:
        facts = json.loads((folder / SNAPSHOT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    best = Measurement(**facts["best"]) if facts["best"] else None
    patience = EarlyStopping(**facts.get("patience", {}))
    return Snapshot(Measurement(**facts["last"]), best, facts["steps_per_epoch"], patience)
