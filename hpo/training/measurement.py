"""Measurements: the dev evaluations that a trial reports; snapshots: the state from which a trial resumes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hpo.training.early_stopping import EarlyStopping


@dataclass(frozen=True, slots=True)
class Measurement:
    """One dev evaluation of a trial.

    ``epoch`` counts completed passes over the train split (0.25, 0.5, …), ``step`` optimizer steps,
    ``seconds`` from the start of the trial. ``f1``, ``precision`` and ``recall`` are micro scores in [0, 1]
    on the objective's variants. ``loss`` and ``train_loss`` are mean cross entropies in nats; ``train_loss``
    covers the steps since the previous evaluation, smoothed and weighted as configured. ``accuracy`` is the
    fraction of dev tokens with the correct label, in [0, 1], None in old journals.
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
        """F1, then the negative dev loss as tie-breaker; a better measurement has a larger key."""
        return (self.f1, -self.loss)

    @property
    def finite(self) -> bool:
        """Whether F1 and both losses are finite."""
        return all(map(math.isfinite, (self.f1, self.loss, self.train_loss)))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


SNAPSHOT_FILE = "snapshot.json"


@dataclass(frozen=True)
class Snapshot:
    """The resumable state of a run, except its tensors.

    ``best`` is the measurement that a later one must exceed for a new checkpoint. It is None in a run that
    started as a copy of another run and has no evaluation yet.
    """

    last: Measurement
    best: Measurement | None
    steps_per_epoch: int
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "last": self.last.to_json(),
            "best": self.best.to_json() if self.best else None,
            "steps_per_epoch": self.steps_per_epoch,
            "patience": self.early_stopping.to_json(),
        }


def read_snapshot(folder: Path) -> Snapshot | None:
    """Return the snapshot in a folder, or None if there is no complete one."""
    try:
        fields = json.loads((folder / SNAPSHOT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    best = Measurement(**fields["best"]) if fields["best"] else None
    early_stopping = EarlyStopping(**fields.get("patience", {}))
    return Snapshot(Measurement(**fields["last"]), best, fields["steps_per_epoch"], early_stopping)
