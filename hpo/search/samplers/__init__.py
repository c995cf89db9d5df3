"""Samplers: propose the next configuration, given all earlier trials.

A sampler is a function of the space, the seed, the trial's number and the trials before it. It keeps no
random state between calls, so that a resumed study continues as if it had not been interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hpo.config.search_space import Params, Space
from hpo.errors import unknown
from hpo.search.trial import Trial


class Sampler(Protocol):
    """Proposes one configuration at a time."""

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        """Return the searched hyperparameters of trial ``number``, or None if nothing is left to try.

        ``trials`` are all earlier trials, including running ones.
        """


def _optuna(space: Space, seed: int, rung_levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.optuna_tpe import OptunaTPE

    return OptunaTPE(space, seed)


def _hyperopt(space: Space, seed: int, rung_levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.hyperopt_tpe import HyperoptTPE

    return HyperoptTPE(space, seed)


def _random(space: Space, seed: int, rung_levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.random_and_grid import RandomSampler

    return RandomSampler(space, seed)


def _grid(space: Space, seed: int, rung_levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.random_and_grid import GridSampler

    return GridSampler(space, seed)


def _bohb(space: Space, seed: int, rung_levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.bohb import BOHB

    return BOHB(space, seed, rung_levels)


SAMPLERS: dict[str, Callable[[Space, int, Sequence[int]], Sampler]] = {
    "optuna": _optuna,
    "hyperopt": _hyperopt,
    "random": _random,
    "grid": _grid,
    "bohb": _bohb,
}


def build_sampler(
    name: str, space: Space, seed: int, rung_levels: Sequence[int] = (1,), seeds: int = 1
) -> Sampler:
    """Return a sampler by name.

    ``rung_levels`` are the epochs at which BOHB compares trials. Each configuration is proposed ``seeds``
    times in a row.

    Raises
    ------
    UserError
        If the name is unknown.
    """
    if name not in SAMPLERS:
        raise unknown("sampler", "sampler", name, SAMPLERS)
    sampler = _PointsFirst(SAMPLERS[name](space, seed, rung_levels), space.points_to_evaluate)
    return _Repeated(sampler, seeds) if seeds > 1 else sampler


class _PointsFirst:
    """Proposes the points to evaluate of a space before those of its sampler."""

    def __init__(self, sampler: Sampler, points: Sequence[Params]) -> None:
        self._sampler = sampler
        self._points = points

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        if number < len(self._points):
            return dict(self._points[number])
        return self._sampler.suggest(number, trials)


class _Repeated:
    """Proposes each configuration of a sampler several times in a row."""

    def __init__(self, sampler: Sampler, times: int) -> None:
        self._sampler = sampler
        self._times = times

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        configuration, run = divmod(number, self._times)
        if run:
            return dict(trials[number - run].params)
        return self._sampler.suggest(configuration, trials[:: self._times])
