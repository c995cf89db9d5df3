"""The base class of all peers: keeps the trials and implements the interface of a simulated tuner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from hpo.config.search_space import Params
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

GRACE_EPOCHS = 1
"""Epoch of the first rung."""
REDUCTION_FACTOR = 3


class PeerTuner(ABC):
    """A search algorithm of another library, as `hpo.simulation.tuner.Tuner`."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    @abstractmethod
    def propose(self, number: int) -> Params:
        """Return the configuration of a new trial."""

    @abstractmethod
    def decide(self, trial: Trial, measurement: Measurement) -> State:
        """Pass a measurement to the library; return the state of the trial: running, paused or ended."""

    def next_paused_trial(self) -> Trial | None:
        """Return the paused trial to resume now, if any."""
        return None

    def next_trial(self) -> Trial:
        """Return a paused trial to resume, or else a new one."""
        if paused := self.next_paused_trial():
            paused.state = State.RUNNING
            return paused
        number = len(self.trials)
        params = {name: _to_python(value) for name, value in self.propose(number).items()}
        trial = Trial(number, params, number)
        self.trials.append(trial)
        return trial

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """Store a measurement, and return whether its trial continues."""
        trial = self.trials[number]
        trial.measurements.append(measurement)
        trial.state = self.decide(trial, measurement)
        return trial.state == State.RUNNING

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """Store the final state of a trial; the library knows of the end from the last measurement."""
        self.trials[number].state = state


def _to_python(value: Any) -> Any:
    """Convert a NumPy scalar to a Python number; return other values unchanged."""
    return value.item() if hasattr(value, "item") else value
