"""A study as its trackers see it: trials that begin, measure and end."""

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
    """Three trials: one that ended, one that failed before it measured, one that runs and was changed."""
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
