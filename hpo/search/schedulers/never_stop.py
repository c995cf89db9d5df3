"""Trials that a scheduler may compare with others, and not stop."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.search.schedulers.base import Continuation, Scheduler, SchedulerDecision
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class Sparing:
    """A scheduler that lets the trials ``never_stopped`` train to their last epoch.

    They count in every comparison and take up their place there, so that the others are judged as if they
    were like any; what would stop them or have them wait is not carried out. A spared trial costs at most
    the epochs that it would not have trained.
    """

    def __init__(self, scheduler: Scheduler, never_stopped: frozenset[int]) -> None:
        self._scheduler = scheduler
        self._never_stopped = never_stopped

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """As `Scheduler.on_trial_result`; a spared trial goes on."""
        decision = self._scheduler.on_trial_result(trial, measurement, trials)
        return SchedulerDecision.CONTINUE if trial.number in self._never_stopped else decision

    def remove_trial(self, trial: Trial) -> None:
        """As `Scheduler.remove_trial`."""
        self._scheduler.remove_trial(trial)

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """As `Scheduler.trials_to_stop`."""
        return self._scheduler.trials_to_stop(trials)

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """As `Scheduler.next_trial_to_resume`."""
        return self._scheduler.next_trial_to_resume(trials)

    def accepts_new_trial(self, trials: Sequence[Trial], budget: int) -> bool:
        """As `Scheduler.accepts_new_trial`."""
        return self._scheduler.accepts_new_trial(trials, budget)

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """As `Scheduler.warm_start_for`."""
        return self._scheduler.warm_start_for(number, trials)
