"""Fixtures of the tracker tests: a study, its folder, and trials in several states."""

import pytest

from hpo.config.study import build_study
from hpo.search.trial import ParamsChange, State, Trial
from hpo.storage.study_folder import StudyFolder


@pytest.fixture
def study():
    def build(*trackers):
        return build_study({"name": "tracked", "trackers": list(trackers)})

    return build


@pytest.fixture
def folder(empty_folder):
    return StudyFolder("tracked")


@pytest.fixture
def trials(measure):
    """Three trials: one stopped, one failed without a measurement, one running after a change."""
    first = Trial(0, {"learning_rate": 1e-4, "lr_schedule": "linear"}, seed=11)
    first.measurements += [measure(1, 0.25), measure(2, 0.5), measure(3, 0.375)]
    first.state = State.STOPPED
    second = Trial(1, {"learning_rate": 2e-4, "lr_schedule": "cosine"}, seed=12, state=State.FAILED)
    second.reason = "out of memory"
    third = Trial(2, {"learning_rate": 4e-4, "lr_schedule": "linear"}, seed=13)
    third.measurements += [measure(1, 0.125)]
    third.resume_from(1, {"learning_rate": 8e-4, "lr_schedule": "linear"}, donor=0)
    third.measurements += [measure(2, 0.75)]
    assert third.changes[0] == ParamsChange(0.0, {"learning_rate": 4e-4, "lr_schedule": "linear"}, None)
    return [first, second, third]
