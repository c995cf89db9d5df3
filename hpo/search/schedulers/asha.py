"""ASHA, asynchronous successive halving: stops a trial that is not among the best at a rung."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.search.schedulers.base import Scheduler, SchedulerDecision
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class AsynchronousSuccessiveHalving(Scheduler):
    """ASHA in its stopping variant, with time in epochs.

    The rungs are at ``grace_epochs`` times the powers of ``reduction_factor``, below ``max_epochs``. A trial
    continues past a rung if it is among the best ``1 / reduction_factor`` of the trials that have reached
    the rung so far, itself included. Trials are ordered by F1 and then by dev loss: at the first rung F1
    is often 0 for all trials, and if ties passed, no trial would stop.

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
        """Enter a trial into the rungs that it has newly reached, and stop it unless it passes them all."""
        passes = True
        for level, entries in self.rungs.items():
            if measurement.epoch >= level and trial.number not in entries:
                entries[trial.number] = measurement.sort_key
                better = sum(key > measurement.sort_key for key in entries.values())
                passes = passes and better < max(1, int(len(entries) / self.reduction_factor))
        return SchedulerDecision.CONTINUE if passes else SchedulerDecision.STOP

    def remove_trial(self, trial: Trial) -> None:
        """Remove a failed trial from every rung."""
        for entries in self.rungs.values():
            entries.pop(trial.number, None)

    def expected_epochs(self, trials: int, max_epochs: int) -> int:
        """Return the epochs of ``trials`` trials if one in ``reduction_factor`` passes each rung."""
        epochs, running, previous = 0.0, float(trials), 0.0
        for level in self.rungs:
            epochs += running * (level - previous)
            running, previous = max(1.0, running / self.reduction_factor), level
        return round(epochs + running * (max_epochs - previous))
