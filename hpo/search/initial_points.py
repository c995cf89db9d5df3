"""A search that starts from what earlier ones found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpo.config.search_space import Params, Space
from hpo.config.training_config import TrainingConfig
from hpo.search.trial import Trial, rank_trials

GUESSES_PER_STUDY = 3
"""An earlier study may be of another corpus, so that only its best are worth a trial."""


def warm_start(space: Space, earlier: Iterable[Sequence[Trial]]) -> Space:
    """The space with the best configurations of earlier studies as its points to evaluate, before its own.

    They are tried and not believed: what they scored elsewhere teaches the sampler nothing. A value
    outside its domain is moved to the nearest inside; a hyperparameter that was not searched then takes the
    training configuration's default, likewise moved inside.
    """
    guesses = [
        {name: domain.nearest(_value(trial, name)) for name, domain in space.parameters.items()}
        for trials in earlier
        for trial in rank_trials(trials)[:GUESSES_PER_STUDY]
    ]
    distinct: list[Params] = []
    for guess in (*guesses, *space.points_to_evaluate):
        if guess not in distinct:
            distinct.append(guess)
    return Space(parameters=space.parameters, fixed=space.fixed, points_to_evaluate=tuple(distinct))


def _value(trial: Trial, name: str) -> bool | int | float | str:
    value: bool | int | float | str = trial.params.get(name, TrainingConfig.model_fields[name].default)
    return value
