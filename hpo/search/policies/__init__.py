"""The policies by name: which trial goes on, which waits, which ends."""

from __future__ import annotations

from collections.abc import Callable

from hpo.search.policies.protocol import EveryTrialToItsEnd, Policy
from hpo.study import Study


def _every(study: Study) -> Policy:
    return EveryTrialToItsEnd()


def _halving(study: Study) -> Policy:
    from hpo.search.policies.halving import Halving

    return Halving(study.grace_epochs, study.reduction_factor, study.max_epochs)


POLICIES: dict[str, Callable[[Study], Policy]] = {"every": _every, "halving": _halving}


def build_policy(name: str, study: Study) -> Policy:
    """The policy of a name, with a study's settings."""
    return POLICIES[name](study)
