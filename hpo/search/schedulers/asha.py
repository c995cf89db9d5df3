"""Asynchronous successive halving: who may go on past a rung."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.search.schedulers.base import NoStopping, SchedulerDecision
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class AsynchronousSuccessiveHalving(NoStopping):
    """The rungs of ASHA in its stopping form, with time in epochs.

    At ``grace_epochs``, and at each ``reduction_factor``-fold of the rung before, a trial goes on if it
    is among the best ``1 / reduction_factor`` of those that have come to that rung so far, itself
    included. Trials are ordered by F1 and, where that ties, by dev loss: at a first rung F1 is often
    0 for all, and a tie that passes would stop nobody.

    Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, arXiv:1810.05934, where
    r = ``grace_epochs``, eta = ``reduction_factor``, R = ``max_epochs`` and s = 0.
    """

    def __init__(self, grace_epochs: float, reduction_factor: float, max_epochs: float) -> None:
        self.reduction_factor = reduction_factor
        self.rungs: dict[float, dict[int, tuple[float, float]]] = {}
        level = grace_epochs
        while level < max_epochs:
            self.rungs[level] = {}
            level *= reduction_factor

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Enter a trial into the rungs that it has newly reached; it stops if it does not pass them all."""
        passes = True
        for level, entries in self.rungs.items():
            if measurement.epoch >= level and trial.number not in entries:
                entries[trial.number] = measurement.sort_key
                ahead = sum(rank > measurement.sort_key for rank in entries.values())
                passes &= ahead < max(1, int(len(entries) / self.reduction_factor))
        return SchedulerDecision.CONTINUE if passes else SchedulerDecision.STOP

    def remove_trial(self, trial: Trial) -> None:
        """Take a trial out of every rung."""
        for entries in self.rungs.values():
            entries.pop(trial.number, None)
