"""Trials that a scheduler may compare with others, and not stop."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.search.schedulers.base import Continuation, SchedulerDecision, SearchScheduler
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class Sparing:
    """A scheduler that lets the trials ``never_stopped`` train to their last epoch.

    They count in every comparison and take up their place there, so that the others are judged as if they
    were like any; what would stop them or have them wait is not carried out. A spared trial costs at most
    the epochs that it would not have trained.
    """

    def __init__(self, scheduler: SearchScheduler, never_stopped: frozenset[int]) -> None:
        self._scheduler = scheduler
        self._never_stopped = never_stopped

    def hear(self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]) -> SchedulerDecision:
        """As `SearchScheduler.hear`; a spared trial goes on."""
        decision = self._scheduler.hear(trial, measurement, trials)
        return SchedulerDecision.CONTINUE if trial.number in self._never_stopped else decision

    def forget(self, trial: Trial) -> None:
        """As `SearchScheduler.forget`."""
        self._scheduler.forget(trial)

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """As `SearchScheduler.trials_to_stop`."""
        return self._scheduler.trials_to_stop(trials)

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """As `SearchScheduler.next_trial_to_resume`."""
        return self._scheduler.next_trial_to_resume(trials)

    def accepts_new_trial(self, trials: Sequence[Trial], budget: int) -> bool:
        """As `SearchScheduler.accepts_new_trial`."""
        return self._scheduler.accepts_new_trial(trials, budget)

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """As `SearchScheduler.warm_start_for`."""
        return self._scheduler.warm_start_for(number, trials)
