"""Hyperparameter schedules: which hyperparameters trained a trial's weights, epoch by epoch.

Only population-based training changes hyperparameters during a trial. One rule holds everywhere: a change
at epoch e applies to training after e, so a measurement at e still belongs to the hyperparameters before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hpo.config.search_space import Params
from hpo.search.trial import ParamsChange, Trial


class ChangingParams(Protocol):
    """A trial, or a copy of one, with its changes of hyperparameters in the order of their epochs."""

    @property
    def params(self) -> Params:
        """Hyperparameters of a trial that never changed."""

    @property
    def changes(self) -> Sequence[ParamsChange]:
        """All changes; the first one holds the initial hyperparameters."""


def initial_params(trial: ChangingParams) -> Params:
    """Return the hyperparameters that a trial started with."""
    return trial.changes[0].params if trial.changes else trial.params


def params_at(trial: ChangingParams, epoch: float) -> Params:
    """Return the hyperparameters that trained a trial up to a measurement at ``epoch``."""
    applied = _changes_before(trial, epoch)
    return applied[-1].params if applied else initial_params(trial)


def params_at_best_epoch(trial: Trial) -> Params:
    """Return the hyperparameters that trained a trial up to its best measurement."""
    return params_at(trial, trial.best.epoch if trial.best else 0.0)


def winning_schedule(trials: Sequence[Trial], winner: Trial) -> list[dict[str, Any]]:
    """Return the schedule of hyperparameters that led to the winner's best measurement.

    Where the winner continued from a copy of a donor's snapshot, the part before the copy is the donor's
    schedule, and so on back to epoch 0. Returns ``{"from_epoch": …, "params": …}`` items in the order of
    their epochs, the first from epoch 0.
    """
    by_number = {trial.number: trial for trial in trials}
    segments: dict[float, Params] = {}
    trial, until = winner, winner.best.epoch if winner.best else 0.0
    while True:
        for change in reversed(_changes_before(trial, until)):
            segments.setdefault(change.epoch, change.params)
            if change.donor is not None:
                trial, until = by_number[change.donor], change.epoch
                break
        else:
            segments.setdefault(0.0, initial_params(trial))
            return _without_repeats(segments)


def _changes_before(trial: ChangingParams, epoch: float) -> list[ParamsChange]:
    return [change for change in trial.changes if change.epoch < epoch]


def _without_repeats(segments: dict[float, Params]) -> list[dict[str, Any]]:
    schedule: list[dict[str, Any]] = []
    for epoch in sorted(segments):
        if not schedule or schedule[-1]["params"] != segments[epoch]:
            schedule.append({"from_epoch": epoch, "params": segments[epoch]})
    return schedule
