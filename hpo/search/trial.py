"""Trials and their journal: what was tried, what it measured, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from hpo.config.search_space import Params
from hpo.training.measurement import Measurement


class State(StrEnum):
    """How far a trial is. ``STOPPED`` is by the search, ``FAILED`` by an error."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


REPORTED_TRIAL_COUNTS = (10, 27, 50, 100, 200, 500, 1000)
"""Numbers of trials after which a report says what the best so far was worth, on dev and on test."""


@dataclass(frozen=True)
class ParamsChange:
    """New parameters from an epoch on, and the trial whose weights came with them, if any."""

    epoch: float
    params: Params
    donor: int | None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return asdict(self)


@dataclass
class Trial:
    """One configuration, trained once.

    ``params`` are those it trains with now. ``changes`` lists, where a scheduler has changed them on the
    way, from which epoch on which were in force, and whose snapshot the trial went on from; the first
    are those that it began with. ``failures`` counts the workers that died under it.
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
        """The best measurement of all its epochs."""
        return max(self.measurements, key=lambda measurement: measurement.sort_key, default=None)

    @property
    def epochs(self) -> float:
        """Passes over the training data so far."""
        return self.measurements[-1].epoch if self.measurements else 0.0

    @property
    def position(self) -> float:
        """The epoch at which its weights stand; ahead of `epochs` in a trial that began as a copy."""
        return max(self.epochs, self.changes[-1].epoch if self.changes else 0.0)

    def to_json(self) -> dict[str, Any]:
        """The trial as one line of ``trials.jsonl``."""
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
        """What a worker is told: ``reported_epoch`` is the epoch up to which measurements have come in."""
        return {
            "number": self.number,
            "params": self.params,
            "seed": self.seed,
            # A donor's snapshot holds a measurement of the donor's, which is not this trial's to report.
            "reported_epoch": self.position,
        }

    def resume_from(self, epoch: float, params: Params | None = None, donor: int | None = None) -> None:
        """Take a trial up at an epoch: measurements after it are to be made again."""
        self.state = State.RUNNING
        self.measurements = [each for each in self.measurements if each.epoch <= epoch]
        if params is not None:
            if self.measurements and not self.changes:
                self.changes.append(ParamsChange(0.0, self.params, None))
            self.params = params
            self.changes.append(ParamsChange(epoch, params, donor))


def read_trials(lines: Iterable[dict[str, Any]]) -> list[Trial]:
    """Put trials together from the lines of ``trials.jsonl``, in the order of their numbers.

    While a study runs, a trial is spread over several lines: its start, each of its measurements,
    each time that its worker died, each time that it went on after a break, its end.
    """
    trials: dict[int, Trial] = {}
    for line in lines:
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
    """The best of the first trials at each milestone that is not past ``total``, by the milestone.

    Trials that failed count for nothing, as in `rank_trials`.
    """
    order = rank_trials(trials)
    firsts = (
        (count, next((trial for trial in order if trial.number < count), None))
        for count in REPORTED_TRIAL_COUNTS
        if count <= total
    )
    return {count: trial for count, trial in firsts if trial is not None}
