"""Random search and grid search."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.trial import Trial


class RandomSampler:
    """Draws every hyperparameter independently from its domain."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """Return a configuration that depends only on the seed and the number."""
        generator = np.random.default_rng([self._seed, number])
        return {name: draw(parameter, generator) for name, parameter in self._space.parameters.items()}


def draw(parameter: Domain, generator: np.random.Generator) -> bool | int | float | str:
    """Draw a value uniformly on the domain's scale."""
    if parameter.values is not None:
        return parameter.values[int(generator.integers(len(parameter.values)))]
    low, high = parameter.bounds
    if parameter.type == "int":
        return int(generator.integers(int(low), int(high) + 1))
    if parameter.type == "loguniform":
        return min(high, max(low, math.exp(generator.uniform(math.log(low), math.log(high)))))
    return float(generator.uniform(low, high))


class GridSampler:
    """Tries every combination of the domains' grid values (`Domain.levels`) once, in seeded random order.

    The random order spreads the first trials over the grid, for studies that do not complete it.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._names = tuple(space.parameters)
        self._levels = [space.parameters[name].levels for name in self._names]
        self._shape = tuple(map(len, self._levels))
        self._order = np.random.default_rng(seed).permutation(math.prod(self._shape))

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        """Return the first untried combination, or None when the grid is complete."""
        tried = {tuple(trial.params[name] for name in self._names) for trial in trials}
        for index in self._order:
            chosen = np.unravel_index(int(index), self._shape)
            values = tuple(levels[level] for levels, level in zip(self._levels, chosen, strict=True))
            if values not in tried:
                return dict(zip(self._names, values, strict=True))
        return None
