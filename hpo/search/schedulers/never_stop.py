"""Trials that a policy may compare with others, and not stop."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.search.schedulers.base import Continuation, Policy, Verdict
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class Sparing:
    """A policy that lets the trials ``spared`` train to their last epoch.

    They count in every comparison and take up their place there, so that the others are judged as if they
    were like any; what would stop them or have them wait is not carried out. A spared trial costs at most
    the epochs that it would not have trained.
    """

    def __init__(self, policy: Policy, spared: frozenset[int]) -> None:
        self._policy = policy
        self._spared = spared

    def hear(self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]) -> Verdict:
        """As `Policy.hear`; a spared trial goes on."""
        verdict = self._policy.hear(trial, measurement, trials)
        return Verdict.GO_ON if trial.number in self._spared else verdict

    def forget(self, trial: Trial) -> None:
        """As `Policy.forget`."""
        self._policy.forget(trial)

    def settle(self, trials: Sequence[Trial]) -> Sequence[int]:
        """As `Policy.settle`."""
        return self._policy.settle(trials)

    def next_paused(self, trials: Sequence[Trial]) -> Continuation | None:
        """As `Policy.next_paused`."""
        return self._policy.next_paused(trials)

    def wants_more(self, trials: Sequence[Trial], budget: int) -> bool:
        """As `Policy.wants_more`."""
        return self._policy.wants_more(trials, budget)

    def newcomer(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """As `Policy.newcomer`."""
        return self._policy.newcomer(number, trials)
