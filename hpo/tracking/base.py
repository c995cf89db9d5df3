"""The interface of an experiment tracker, and the data that it receives."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.hyperparameter_schedule import initial_params, params_at
from hpo.search.trial import ParamsChange, State, Trial
from hpo.storage.atomic import read_json, write_json
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement

BEST_F1 = "best/dev_f1"


@dataclass(frozen=True)
class TrialReport:
    """An immutable copy of a trial at one moment, with all its measurements so far.

    ``params`` are the trial's first hyperparameters. ``changes`` lists when others apply.
    """

    number: int
    params: Params
    seed: int
    state: State
    reason: str
    measurements: tuple[Measurement, ...]
    changes: tuple[ParamsChange, ...]

    @classmethod
    def of(cls, trial: Trial) -> TrialReport:
        """Copy the mutable parts of a trial."""
        return cls(
            trial.number,
            dict(initial_params(trial)),
            trial.seed,
            trial.state,
            trial.reason,
            tuple(trial.measurements),
            tuple(trial.changes),
        )

    @property
    def is_open(self) -> bool:
        """Whether the trial may still train."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def best(self) -> Measurement | None:
        """The best measurement so far."""
        return max(self.measurements, key=lambda each: each.sort_key, default=None)

    def hyperparameters_at(self, measurement: Measurement) -> dict[str, float]:
        """Return the numeric hyperparameters in effect at a measurement; {} if none ever changed."""
        in_effect = params_at(self, measurement.epoch) if self.changes else {}
        return {name: value for name, value in in_effect.items() if isinstance(value, int | float)}


@dataclass(frozen=True)
class TrackerContext:
    """The study that a tracker records, its folder, and the target, such as ``URI`` in ``mlflow:URI``."""

    study: Study
    folder: StudyFolder
    target: str

    @property
    def id(self) -> str:
        """A unique id of the study's runs, stored in the study's folder and reused when the study resumes."""
        if not self.folder.tracking.exists():
            write_json(self.folder.tracking, {"id": secrets.token_hex(6)})
        return str(read_json(self.folder.tracking)["id"])

    @property
    def settings(self) -> dict[str, Any]:
        """The study's fields that are strings or numbers."""
        fields = self.study.model_dump(mode="json")
        return {name: value for name, value in fields.items() if isinstance(value, str | int | float)}


class Tracker(Protocol):
    """Records a study in an external format. Any exception disables the tracker and affects no trial."""

    def on_trial_update(self, report: TrialReport) -> None:
        """Record a trial that has changed.

        A resumed study reports each of its trials again; what is already recorded must not be recorded
        twice.
        """

    def on_scores(self, scores: Mapping[str, float]) -> None:
        """Record the study's final scores, keyed by names such as ``test/cased``."""

    def close(self, state: str) -> None:
        """Flush pending data; ``state`` is ``done``, ``failed`` or ``interrupted``."""


def metrics_at(report: TrialReport, measurement: Measurement) -> dict[str, float]:
    """Return a measurement's metrics by the names that trackers show, grouped by the part before the slash.

    ``hyperparameter/NAME`` is included only for trials whose hyperparameters change during training.
    """
    return {
        "dev/f1": measurement.f1,
        "dev/precision": measurement.precision,
        "dev/recall": measurement.recall,
        "dev/loss": measurement.loss,
        "train/loss": measurement.train_loss,
        "train/epoch": measurement.epoch,
    } | {f"hyperparameter/{name}": value for name, value in report.hyperparameters_at(measurement).items()}
