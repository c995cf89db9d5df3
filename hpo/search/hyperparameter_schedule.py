"""Schedules: which hyperparameters were in force when, on the way to a model that a population has
trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.config.search_space import Params
from hpo.search.trial import Trial


def params_at_best_epoch(trial: Trial) -> Params:
    """The hyperparameters in force when a trial measured its best."""
    until = trial.best.epoch if trial.best else 0.0
    in_force = [change.params for change in trial.changes if change.epoch < until]
    return in_force[-1] if in_force else initial_params(trial)


def winning_schedule(trials: Sequence[Trial], winner: Trial) -> list[dict[str, Any]]:
    """What has to be set from which epoch on to train as the weights of the winner's best were trained.

    Where the winner went on from a copy, the hyperparameters before that are its donor's, and so on back to
    epoch 0. Returns ``{"from_epoch": …, "params": …}``, in the order of the epochs, the first from 0.
    """
    by_number = {trial.number: trial for trial in trials}
    segments: dict[float, Params] = {}
    trial, until = winner, winner.best.epoch if winner.best else 0.0
    while True:
        for change in reversed([each for each in trial.changes if each.epoch < until]):
            segments.setdefault(change.epoch, change.params)
            if change.donor is not None:
                trial, until = by_number[change.donor], change.epoch
                break
        else:
            segments.setdefault(0.0, initial_params(trial))
            return _without_repeats(segments)


def initial_params(trial: Trial) -> Params:
    """The hyperparameters that a trial began with."""
    return trial.changes[0].params if trial.changes else trial.params


def _without_repeats(segments: dict[float, Params]) -> list[dict[str, Any]]:
    schedule: list[dict[str, Any]] = []
    for epoch in sorted(segments):
        if not schedule or schedule[-1]["params"] != segments[epoch]:
            schedule.append({"from_epoch": epoch, "params": segments[epoch]})
    return schedule
