"""Random search and grid search."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hpo.config.search_space import Parameter, Params, Space
from hpo.search.trial import Trial


class RandomSampler:
    """Draws every hyperparameter independently from its domain."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """As `Sampler.suggest`; depends on the number alone."""
        generator = np.random.default_rng([self._seed, number])
        return {name: draw(parameter, generator) for name, parameter in self._space.parameters.items()}


def draw(parameter: Parameter, generator: np.random.Generator) -> bool | int | float | str:
    """A value of a domain, each as likely as any other on the domain's own scale."""
    if parameter.values is not None:
        return parameter.values[int(generator.integers(len(parameter.values)))]
    low, high = parameter.bounds
    if parameter.type == "int":
        return int(generator.integers(int(low), int(high) + 1))
    if parameter.type == "loguniform":
        return min(high, max(low, math.exp(generator.uniform(math.log(low), math.log(high)))))
    return float(generator.uniform(low, high))


class GridSampler:
    """Tries every combination of the hyperparameters' levels (`Parameter.levels`) once, in a seeded order.

    With fewer trials than combinations the order matters: the first ones are spread over the grid.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._names = tuple(space.parameters)
        self._levels = [space.parameters[name].levels for name in self._names]
        self._shape = tuple(map(len, self._levels))
        self._order = np.random.default_rng(seed).permutation(math.prod(self._shape))

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        """As `Sampler.suggest`; None when the grid is used up."""
        tried = {tuple(trial.params[name] for name in self._names) for trial in trials}
        for place in self._order:
            chosen = np.unravel_index(int(place), self._shape)
            values = tuple(levels[level] for levels, level in zip(self._levels, chosen, strict=True))
            if values not in tried:
                return dict(zip(self._names, values, strict=True))
        return None
