"""The schedulers by name: which trial goes on, which waits, which ends."""

from __future__ import annotations

from collections.abc import Callable

from hpo.config.search_space import Space
from hpo.config.study import Study
from hpo.search.schedulers.base import NoStopping, Scheduler


def _every(study: Study) -> Scheduler:
    return NoStopping()


def _halving(study: Study) -> Scheduler:
    from hpo.search.schedulers.asha import AsynchronousSuccessiveHalving

    return AsynchronousSuccessiveHalving(study.grace_epochs, study.reduction_factor, study.max_epochs)


def _hyperband(study: Study) -> Scheduler:
    from hpo.search.schedulers.hyperband import HyperBand

    return HyperBand(study.grace_epochs, study.reduction_factor, study.max_epochs, study.trials)


def _pbt(study: Study) -> Scheduler:
    from hpo.search.schedulers.pbt import PBT

    return PBT(*_population(study), study.never_stopped)


def _pb2(study: Study) -> Scheduler:
    from hpo.search.schedulers.pb2 import PB2

    return PB2(*_population(study), study.never_stopped)


def _population(study: Study) -> tuple[Space, int, int, int, float, int]:
    return (
        study.space,
        study.seed,
        study.population_size,
        study.trials,
        study.perturbation_interval,
        study.max_epochs,
    )


SCHEDULERS: dict[str, Callable[[Study], Scheduler]] = {
    "every": _every,
    "halving": _halving,
    "pbt": _pbt,
    "pb2": _pb2,
    "hyperband": _hyperband,
}


def build_scheduler(name: str, study: Study) -> Scheduler:
    """The scheduler of a name, with a study's settings."""
    return SCHEDULERS[name](study)
