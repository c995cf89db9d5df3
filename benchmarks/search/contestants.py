"""The arms of the comparison: our algorithms, and other libraries on the same simulated machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from hpo.config.algorithms import ALGORITHMS, TPE_LIBRARIES
from hpo.config.study import Study, build_study
from hpo.simulation.surrogate import Surrogate
from hpo.simulation.tuner import Tuner, temporary_controller

UNLIMITED = 100_000
"""Trials of a study whose end is a number of epochs."""
DEFAULT = "ASHA (optuna)"
RANDOM = "Random"
"""Titles of the arms that the others are held against."""

Start = Callable[[Study], AbstractContextManager[Tuner]]


@dataclass(frozen=True)
class Contestant:
    """One way to search: a title, how to start it for a study, and whether it is one of ours."""

    title: str
    start: Start
    ours: bool


@dataclass(frozen=True)
class UnavailableContestant:
    """A way to search that cannot be compared here, and why."""

    title: str
    reason: str


def simulated_study(surrogate: Surrogate, seed: int) -> Study:
    """A study over a table's space, without points to evaluate or defaults, that ends with its epochs."""
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
    """Every algorithm of ours, with every sampler where it leaves that open."""
    for name, algorithm in ALGORITHMS.items():
        if algorithm.population:
            yield UnavailableContestant(
                algorithm.title, "hands weights on from trial to trial, which no curve tells"
            )
            continue
        for sampler in TPE_LIBRARIES if algorithm.sampler is None else TPE_LIBRARIES[:1]:
            note = f" ({sampler})" if algorithm.sampler is None else ""
            yield Contestant(f"{algorithm.title}{note}", _starter(name, sampler), ours=True)


def _starter(algorithm: str, sampler: str) -> Start:
    @contextmanager
    def start(study: Study) -> Iterator[Tuner]:
        chosen = study.model_copy(update={"algorithm": algorithm, "sampler": sampler})
        with temporary_controller(chosen) as controller:
            yield controller

    return start
