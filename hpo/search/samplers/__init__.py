"""Samplers: what to try next, given all that was tried.

A sampler is a function of the space, the seed, the trial's number and the trials before it. It
keeps no random state between calls, so that a study that is taken up again goes on as if it had
never stopped.
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
        """A value for each searched hyperparameter of trial ``number``, or None where nothing is left to try.

        ``trials`` are all trials before it, those still running included.
        """


def _optuna(space: Space, seed: int, levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.optuna_tpe import OptunaTPE

    return OptunaTPE(space, seed)


def _hyperopt(space: Space, seed: int, levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.hyperopt_tpe import HyperoptTPE

    return HyperoptTPE(space, seed)


def _random(space: Space, seed: int, levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.random_and_grid import RandomSampler

    return RandomSampler(space, seed)


def _grid(space: Space, seed: int, levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.random_and_grid import GridSampler

    return GridSampler(space, seed)


def _bohb(space: Space, seed: int, levels: Sequence[int]) -> Sampler:
    from hpo.search.samplers.bohb import BOHB

    return BOHB(space, seed, levels)


SAMPLERS: dict[str, Callable[[Space, int, Sequence[int]], Sampler]] = {
    "optuna": _optuna,
    "hyperopt": _hyperopt,
    "random": _random,
    "grid": _grid,
    "bohb": _bohb,
}


def build_sampler(
    name: str, space: Space, seed: int, levels: Sequence[int] = (1,), seeds: int = 1
) -> Sampler:
    """The sampler of a name.

    ``levels`` are the epochs at which trials are compared, for a sampler that compares them so; each
    configuration is proposed ``seeds`` times, one after the other.

    Raises
    ------
    UserError
        if there is no such sampler.
    """
    if name not in SAMPLERS:
        raise unknown("sampler", "sampler", name, SAMPLERS)
    sampler = _Guessing(SAMPLERS[name](space, seed, levels), space.points_to_evaluate)
    return _Repeating(sampler, seeds) if seeds > 1 else sampler


class _Guessing:
    """Tries a space's points to evaluate before its sampler is asked."""

    def __init__(self, sampler: Sampler, guesses: Sequence[Params]) -> None:
        self._sampler = sampler
        self._guesses = guesses

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        if number < len(self._guesses):
            return dict(self._guesses[number])
        return self._sampler.suggest(number, trials)


class _Repeating:
    """Proposes each configuration of a sampler several times before the next."""

    def __init__(self, sampler: Sampler, times: int) -> None:
        self._sampler = sampler
        self._times = times

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params | None:
        configuration, run = divmod(number, self._times)
        if run:
            return dict(trials[number - run].params)
        return self._sampler.suggest(configuration, trials[:: self._times])
