"""Schedulers: which trials continue, pause and stop, by name."""

from __future__ import annotations

from collections.abc import Callable

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import Study
from hpo.search.schedulers.asha import AsynchronousSuccessiveHalving
from hpo.search.schedulers.base import NoStopping, Scheduler
from hpo.search.schedulers.hyperband import HyperBand
from hpo.search.schedulers.pb2 import PB2
from hpo.search.schedulers.pbt import PBT, PopulationSettings


def _asha(study: Study) -> Scheduler:
    return AsynchronousSuccessiveHalving(study.grace_epochs, study.reduction_factor, study.max_epochs)


def _hyperband(study: Study) -> Scheduler:
    return HyperBand(study.grace_epochs, study.reduction_factor, study.max_epochs, study.trials)


def _population(study: Study) -> PopulationSettings:
    return PopulationSettings(
        study.population_size,
        study.trials,
        study.perturbation_interval,
        study.max_epochs,
        study.never_stopped,
    )


SCHEDULERS: dict[str, Callable[[Study], Scheduler]] = {
    "none": lambda study: NoStopping(),
    "asha": _asha,
    "hyperband": _hyperband,
    "pbt": lambda study: PBT(study.space, study.seed, _population(study)),
    "pb2": lambda study: PB2(study.space, study.seed, _population(study)),
}


def build_scheduler(study: Study) -> Scheduler:
    """Return the scheduler of a study's algorithm."""
    return SCHEDULERS[ALGORITHMS[study.algorithm].scheduler](study)
