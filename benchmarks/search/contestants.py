"""Defines the contestants of the comparison: our search algorithms, and those of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from hpo.config.algorithms import ALGORITHMS, TPE_LIBRARIES
from hpo.config.study import Study, build_study
from hpo.simulation.surrogate import Surrogate
from hpo.simulation.tuner import Tuner, temporary_controller

UNLIMITED = 100_000
"""Number of trials of a study that is limited by its budget of epochs instead."""
DEFAULT = "ASHA (optuna)"
RANDOM = "Random"
"""Titles of the two contestants that all others are compared with."""

StartFunction = Callable[[Study], AbstractContextManager[Tuner]]


@dataclass(frozen=True)
class Contestant:
    """A search algorithm: its title, a function that starts it for a study, and whether it is ours."""

    title: str
    start: StartFunction
    ours: bool


@dataclass(frozen=True)
class UnavailableContestant:
    """A search algorithm that cannot be compared here, and the reason."""

    title: str
    reason: str


def simulated_study(surrogate: Surrogate, seed: int) -> Study:
    """Return a study over the space of a curve table, without points to evaluate and without a baseline.

    Its number of trials is practically unlimited; the caller stops it after a number of epochs.
    """
    table = surrogate.table
    options = {
        "name": "simulated",
        "space": table.space,
        "seed": seed,
        "trials": UNLIMITED,
        "keep_checkpoints": 1,
    }
    return build_study(options | {"baseline": False, "fixed": {"epochs": table.epochs}})


def our_contestants() -> Iterator[Contestant | UnavailableContestant]:
    """Yield each of our algorithms, once per TPE library if it leaves the sampler open."""
    for name, algorithm in ALGORITHMS.items():
        if algorithm.population_based:
            reason = "copies weights between trials, which recorded curves cannot represent"
            yield UnavailableContestant(algorithm.title, reason)
            continue
        for sampler in TPE_LIBRARIES if algorithm.sampler is None else TPE_LIBRARIES[:1]:
            suffix = f" ({sampler})" if algorithm.sampler is None else ""
            yield Contestant(f"{algorithm.title}{suffix}", _start_function(name, sampler), ours=True)


def _start_function(algorithm: str, sampler: str) -> StartFunction:
    @contextmanager
    def start(study: Study) -> Iterator[Tuner]:
        with temporary_controller(
            study.model_copy(update={"algorithm": algorithm, "sampler": sampler})
        ) as controller:
            yield controller

    return start
