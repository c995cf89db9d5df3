"""Trials and their journal: what was tried, what it measured, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hpo.search.spaces import Params
from hpo.training.measurement import Measurement


class State(StrEnum):
    """How far a trial is. ``STOPPED`` is by the search, ``FAILED`` by an error."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass
class Trial:
    """One configuration, trained once."""

    number: int
    params: Params
    seed: int
    state: State = State.RUNNING
    measurements: list[Measurement] = field(default_factory=list)
    reason: str = ""

    @property
    def best(self) -> Measurement | None:
        """The best measurement of all its epochs."""
        return max(self.measurements, key=lambda measurement: measurement.rank, default=None)

    @property
    def epochs(self) -> float:
        """Passes over the training data so far."""
        return self.measurements[-1].epoch if self.measurements else 0.0

    def to_json(self) -> dict[str, Any]:
        """The trial as one line of ``trials.jsonl``."""
        return {
            "trial": self.number,
            "params": self.params,
            "seed": self.seed,
            "state": self.state.value,
            "reason": self.reason,
            "measurements": [measurement.to_json() for measurement in self.measurements],
        }


def read_trials(lines: Iterable[dict[str, Any]]) -> list[Trial]:
    """Put trials together from the lines of ``trials.jsonl``, in the order of their numbers.

    While a study runs, a trial is spread over several lines: its start, each of its measurements,
    its end. A second start of a number takes the place of the first.
    """
    trials: dict[int, Trial] = {}
    for line in lines:
        number = line["trial"]
        if "params" in line:
            trials[number] = Trial(number, line["params"], line["seed"])
        trial = trials[number]
        trial.measurements.extend(Measurement(**each) for each in line.get("measurements", ()))
        trial.state = State(line.get("state", trial.state))
        trial.reason = line.get("reason", trial.reason)
    return [trials[number] for number in sorted(trials)]


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that have measured anything, the best epoch of the best trial first."""
    measured = [(trial.best.rank, -trial.number, trial) for trial in trials if trial.best is not None]
    return [trial for *_, trial in sorted(measured, key=lambda entry: entry[:2], reverse=True)]
