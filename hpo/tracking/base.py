"""What a tracker is told, and what it must do with it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.trial import State, Trial
from hpo.storage.atomic import read_json, write_json
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement


@dataclass(frozen=True)
class TrialReport:
    """A trial as it stands at one moment, with all its measurements so far.

    ``params`` are those that it began with, ``changes`` the epochs from which others were in force.
    """

    number: int
    params: Params
    seed: int
    state: State
    reason: str
    measurements: tuple[Measurement, ...]
    changes: tuple[tuple[float, Params], ...]

    @classmethod
    def of(cls, trial: Trial) -> TrialReport:
        """A copy of what may change in the trial."""
        return cls(
            trial.number,
            dict(trial.changes[0].params if trial.changes else trial.params),
            trial.seed,
            trial.state,
            trial.reason,
            tuple(trial.measurements),
            tuple((change.epoch, change.params) for change in trial.changes),
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
        """The numbers among the parameters in force at a measurement, where any change on the way."""
        held: Params = {}
        for epoch, params in self.changes:
            if epoch < measurement.epoch or not held:
                held = params
        return {name: value for name, value in held.items() if isinstance(value, int | float)}


@dataclass(frozen=True)
class Ground:
    """What a tracker stands on: the study, its folder, and what stands behind the tracker's name."""

    study: Study
    folder: StudyFolder
    target: str

    @property
    def id(self) -> str:
        """A name of this study's runs that no other study has, the same each time that it is taken up."""
        if not self.folder.tracking.exists():
            write_json(self.folder.tracking, {"id": secrets.token_hex(6)})
        return str(read_json(self.folder.tracking)["id"])

    @property
    def settings(self) -> dict[str, Any]:
        """The study's fields that are a word or a number."""
        fields = self.study.model_dump(mode="json")
        return {name: value for name, value in fields.items() if isinstance(value, str | int | float)}


class Tracker(Protocol):
    """Writes a study down somewhere. It may raise anything: it is then left out, and no trial is lost."""

    def hear(self, report: TrialReport) -> None:
        """Take in a trial that has changed.

        When a study is taken up, each of its trials is reported once more: what has been written down
        already must not be written twice.
        """

    def score(self, scores: Mapping[str, float]) -> None:
        """Take in the study's final scores, by names such as ``test/cased``."""

    def close(self, state: str) -> None:
        """Write out what is left; ``state`` is ``done``, ``failed`` or ``interrupted``."""


def metrics_of(measurement: Measurement) -> dict[str, float]:
    """A measurement under the names that trackers show, grouped by what stands before the slash."""
    return {
        "dev/f1": measurement.f1,
        "dev/precision": measurement.precision,
        "dev/recall": measurement.recall,
        "dev/loss": measurement.loss,
        "train/loss": measurement.train_loss,
        "train/epoch": measurement.epoch,
    }


def hyperparameter_metrics(report: TrialReport, measurement: Measurement) -> dict[str, float]:
    """Where parameters change on the way, those in force, as ``hyperparameter/NAME``."""
    return {f"hyperparameter/{name}": value for name, value in report.hyperparameters_at(measurement).items()}
