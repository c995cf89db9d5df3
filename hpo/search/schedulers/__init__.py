"""The policies by name: which trial goes on, which waits, which ends."""

from __future__ import annotations

from collections.abc import Callable

from hpo.config.search_space import Space
from hpo.config.study import Study
from hpo.search.schedulers.base import EveryTrialToItsEnd, Policy
from hpo.search.schedulers.never_stop import Sparing


def _every(study: Study) -> Policy:
    return EveryTrialToItsEnd()


def _halving(study: Study) -> Policy:
    from hpo.search.schedulers.asha import Halving

    return Sparing(Halving(study.grace_epochs, study.reduction_factor, study.max_epochs), study.spared)


def _hyperband(study: Study) -> Policy:
    from hpo.search.schedulers.hyperband import HyperBand

    brackets = HyperBand(study.grace_epochs, study.reduction_factor, study.max_epochs, study.trials)
    return Sparing(brackets, study.spared)


def _pbt(study: Study) -> Policy:
    from hpo.search.schedulers.pbt import PBT

    return PBT(*_population(study), study.spared)


def _pb2(study: Study) -> Policy:
    from hpo.search.schedulers.pb2 import PB2

    return PB2(*_population(study), study.spared)


def _population(study: Study) -> tuple[Space, int, int, int, float, int]:
    return study.space, study.seed, study.population, study.trials, study.perturb_every, study.max_epochs


POLICIES: dict[str, Callable[[Study], Policy]] = {
    "every": _every,
    "halving": _halving,
    "pbt": _pbt,
    "pb2": _pb2,
    "hyperband": _hyperband,
}


def build_policy(name: str, study: Study) -> Policy:
    """The policy of a name, with a study's settings."""
    return POLICIES[name](study)
