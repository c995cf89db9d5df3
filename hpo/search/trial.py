"""Trials: one configuration trained once, its measurements and its state, as the journal stores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from hpo.config.renamed_keys import translate_trial
from hpo.config.search_space import Params
from hpo.training.measurement import Measurement


class State(StrEnum):
    """State of a trial. The scheduler stops a trial (``STOPPED``); an error fails it (``FAILED``)."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


REPORTED_TRIAL_COUNTS = (10, 27, 50, 100, 200, 500, 1000)
"""Numbers of trials after which a report shows the dev and test score of the best trial so far."""


@dataclass(frozen=True)
class ParamsChange:
    """New hyperparameters from an epoch on; ``donor`` is the trial whose weights were copied, if any."""

    epoch: float
    params: Params
    donor: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the change as it is stored in the journal."""
        return asdict(self)


@dataclass
class Trial:
    """One configuration, trained once.

    ``params`` are the current hyperparameters. ``changes`` is empty unless a scheduler changed them during
    the trial; its first item then holds the initial ones. ``failures`` counts the workers that died while
    they ran the trial.
    """

    number: int
    params: Params
    seed: int
    state: State = State.RUNNING
    measurements: list[Measurement] = field(default_factory=list)
    reason: str = ""
    changes: list[ParamsChange] = field(default_factory=list)
    failures: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the trial may still train."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def best(self) -> Measurement | None:
        """The best measurement so far."""
        return max(self.measurements, key=lambda measurement: measurement.sort_key, default=None)

    @property
    def epochs(self) -> float:
        """Passes over the training data up to the last measurement."""
        return self.measurements[-1].epoch if self.measurements else 0.0

    @property
    def position(self) -> float:
        """Epoch of the current weights; ahead of `epochs` in a trial that started from a donor's snapshot."""
        return max(self.epochs, self.changes[-1].epoch if self.changes else 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as one line of ``trials.jsonl``."""
        return {
            "trial": self.number,
            "params": self.params,
            "seed": self.seed,
            "state": self.state.value,
            "reason": self.reason,
            "measurements": [measurement.to_json() for measurement in self.measurements],
            "changes": [change.to_json() for change in self.changes],
        } | ({"losses": self.failures} if self.failures else {})

    def worker_config(self) -> dict[str, Any]:
        """Return what a worker needs to run the trial; measurements up to ``reported_epoch`` are known."""
        return {
            "number": self.number,
            "params": self.params,
            "seed": self.seed,
            # Not `epochs`: the last measurement in a donor's snapshot is the donor's, and is not reported.
            "reported_epoch": self.position,
        }

    def resume_from(self, epoch: float, params: Params | None = None, donor: int | None = None) -> None:
        """Set the trial to running from an epoch, and drop later measurements, which will be repeated."""
        self.state = State.RUNNING
        self.measurements = [each for each in self.measurements if each.epoch <= epoch]
        if params is not None:
            if self.measurements and not self.changes:
                self.changes.append(ParamsChange(0.0, self.params, None))
            self.params = params
            self.changes.append(ParamsChange(epoch, params, donor))


def read_trials(lines: Iterable[dict[str, Any]]) -> list[Trial]:
    """Return the trials that the lines of ``trials.jsonl`` describe, in the order of their numbers.

    While a study runs, the journal has one line for each event of a trial: its start, each measurement, each
    worker failure, each resume, each pause, and its end. A finished study has one line for each trial.
    """
    trials: dict[int, Trial] = {}
    for line in map(translate_trial, lines):
        number = line["trial"]
        if "seed" in line:
            changes = [ParamsChange(**change) for change in line.get("changes", ())]
            trials[number] = Trial(
                number, line["params"], line["seed"], changes=changes, failures=line.get("losses", 0)
            )
        trial = trials[number]
        trial.failures += "lost" in line
        if "from" in line:
            trial.resume_from(line["from"], line.get("params"), line.get("donor"))
        trial.measurements.extend(Measurement(**each) for each in line.get("measurements", ()))
        trial.state = State(line.get("state", trial.state))
        trial.reason = line.get("reason", trial.reason)
    return [trials[number] for number in sorted(trials)]


def rank_trials(trials: Iterable[Trial], *, include_failed: bool = False) -> list[Trial]:
    """Return the trials that have a measurement, ordered by their best measurement, the best first.

    Ties go to the trial with the lower number. Failed trials have no checkpoint and are left out by default.
    """
    candidates = [
        (trial.best.sort_key, -trial.number, trial)
        for trial in trials
        if trial.best is not None and (include_failed or trial.state != State.FAILED)
    ]
    return [trial for *_, trial in sorted(candidates, key=lambda entry: entry[:2], reverse=True)]


def best_after_counts(trials: Sequence[Trial], total: int) -> dict[int, Trial]:
    """Return the best of the first n trials, for each n of `REPORTED_TRIAL_COUNTS` up to ``total``.

    Failed trials are left out, as in `rank_trials`.
    """
    order = rank_trials(trials)
    best = {
        count: next((trial for trial in order if trial.number < count), None)
        for count in REPORTED_TRIAL_COUNTS
        if count <= total
    }
    return {count: trial for count, trial in best.items() if trial is not None}
