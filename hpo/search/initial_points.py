"""Warm start: adds the best configurations of earlier studies to the points to evaluate first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpo.config.search_space import Params, Space
from hpo.config.training_config import TrainingConfig
from hpo.search.trial import Trial, rank_trials

POINTS_PER_STUDY = 3
"""Few, because an earlier study may have used another corpus."""


def warm_start_space(space: Space, earlier: Iterable[Sequence[Trial]]) -> Space:
    """Return the space with the best configurations of earlier studies before its own points to evaluate.

    Only the configurations are reused: their earlier scores do not reach the sampler. A value outside its
    domain is moved to the nearest one inside; a hyperparameter that the earlier study did not search takes
    the default of the training configuration, likewise moved inside.
    """
    points = [
        {name: domain.nearest(_value(trial, name)) for name, domain in space.parameters.items()}
        for trials in earlier
        for trial in rank_trials(trials)[:POINTS_PER_STUDY]
    ]
    distinct: list[Params] = []
    for point in (*points, *space.points_to_evaluate):
        if point not in distinct:
            distinct.append(point)
    return Space(parameters=space.parameters, fixed=space.fixed, points_to_evaluate=tuple(distinct))


def _value(trial: Trial, name: str) -> bool | int | float | str:
    value: bool | int | float | str = trial.params.get(name, TrainingConfig.model_fields[name].default)
    return value
