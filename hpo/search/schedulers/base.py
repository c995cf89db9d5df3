"""Policies: which trial goes on, which waits, which ends, and which paused one is taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hpo.config.search_space import Params
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class SchedulerDecision(Enum):
    """What becomes of a trial after a measurement."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True)
class Continuation:
    """A paused trial that is to go on: with new parameters and from another's snapshot, where given."""

    number: int
    params: Params | None = None
    donor: int | None = None


class Scheduler(Protocol):
    """Decides on running and paused trials.

    Whatever a scheduler remembers follows from the trials and their measurements in the order of the
    journal, so that it is rebuilt by hearing them again; what it draws at random follows from the
    study's seed and the trial.
    """

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Take in a measurement, which is ``trial``'s last, and decide on the trial."""

    def remove_trial(self, trial: Trial) -> None:
        """Take a trial out of all comparisons: it has failed."""

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """The paused trials that have lost and end now."""

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """The paused trial that may go on now."""

    def accepts_new_trial(self, trials: Sequence[Trial], budget: int) -> bool:
        """Whether a new trial may start now, where ``budget`` is the study's number of trials."""

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """What a new trial begins from, if not from the sampler's proposal and fresh weights."""


class NoStopping:
    """Stops nobody: random search and grid search."""

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """As `Scheduler.on_trial_result`: go on."""
        return SchedulerDecision.CONTINUE

    def remove_trial(self, trial: Trial) -> None:
        """As `Scheduler.remove_trial`: there is nothing to forget."""

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """As `Scheduler.trials_to_stop`: nobody."""
        return ()

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """As `Scheduler.next_trial_to_resume`: nobody pauses."""
        return None

    def accepts_new_trial(self, trials: Sequence[Trial], budget: int) -> bool:
        """As `Scheduler.accepts_new_trial`: up to the budget."""
        return len(trials) < budget

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """As `Scheduler.warm_start_for`: from nothing."""
        return None
