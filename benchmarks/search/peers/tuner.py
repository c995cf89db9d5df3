"""What every peer has in common: a list of trials, and the three calls of a search's head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from hpo.config.search_space import Params
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

GRACE_EPOCHS = 1
REDUCTION_FACTOR = 3


class PeerTuner(ABC):
    """A search of another library; `propose` and `decide` are its own."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    @abstractmethod
    def propose(self, number: int) -> Params:
        """The configuration of the next trial."""

    @abstractmethod
    def decide(self, trial: Trial, measurement: Measurement) -> State:
        """What becomes of a trial after a measurement: running, paused, stopped or complete."""

    def next_paused_trial(self) -> Trial | None:
        """The paused trial to go on with now, if any."""
        return None

    def next_trial(self) -> Trial:
        """A paused trial that may go on, or a new one; there is always one."""
        if waking := self.next_paused_trial():
            waking.state = State.RUNNING
            return waking
        number = len(self.trials)
        trial = Trial(
            number, {name: _to_python(value) for name, value in self.propose(number).items()}, number
        )
        self.trials.append(trial)
        return trial

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """Take a measurement in, and say whether the trial is to go on."""
        trial = self.trials[number]
        trial.measurements.append(measurement)
        trial.state = self.decide(trial, measurement)
        return trial.state == State.RUNNING

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """A curve's end, which every peer has been told of by its last measurement."""
        self.trials[number].state = state


def _to_python(value: Any) -> Any:
    """A value of plain Python where a library gives numpy's."""
    return value.item() if hasattr(value, "item") else value
