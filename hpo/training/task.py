"""What a training run is given: a serialisable task, and callbacks that receive its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpo.config.objective import Objective
from hpo.config.training_config import TrainingConfig
from hpo.training.measurement import Measurement

Report = Callable[[Measurement], bool]
"""Called with each measurement; returns whether training continues."""
OnNewBest = Callable[[Measurement], Path | None]
"""Called on each new best of the run; returns the directory for the checkpoint, or None to skip it."""


class NonFiniteLoss(RuntimeError):
    """The training or dev loss became infinite or not a number."""


class WorkerDied(RuntimeError):
    """A process of a trial died; the trial can resume from its snapshot in another process."""


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """One training run, without its callbacks.

    ``corpus`` is the folder of an `EncodedCorpus`. ``train_on`` is the case variant of the train split.
    ``seed`` determines new weights, dropout and batches. ``objective`` defaults to the F1 on ``train_on``.
    ``resume_dir`` holds the snapshot: the run resumes from it if it exists, and replaces it before each
    report. Without ``resume_dir`` the run writes no snapshot.
    """

    training_config: TrainingConfig
    corpus: Path
    model: str
    train_on: str
    seed: int
    objective: Objective | None = None
    resume_dir: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "training_config": self.training_config.model_dump(mode="json", exclude_unset=True),
            "corpus": str(self.corpus),
            "model": self.model,
            "train_on": self.train_on,
            "seed": self.seed,
            "objective": asdict(self.objective) if self.objective else None,
            "resume_dir": str(self.resume_dir) if self.resume_dir else None,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TrainingTask:
        """Return the task that `to_json` wrote."""
        objective, resume_dir = fields["objective"], fields["resume_dir"]
        return cls(
            training_config=TrainingConfig.model_validate(fields["training_config"]),
            corpus=Path(fields["corpus"]),
            model=fields["model"],
            train_on=fields["train_on"],
            seed=fields["seed"],
            objective=Objective(objective["reduction"], tuple(objective["variants"])) if objective else None,
            resume_dir=Path(resume_dir) if resume_dir else None,
        )


@dataclass(frozen=True)
class TrainingCallbacks:
    """What a training run calls at its evaluations; by default it writes no checkpoint."""

    report: Report
    on_new_best: OnNewBest = lambda measurement: None
