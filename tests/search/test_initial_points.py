"""Tests of the warm start: points of earlier studies come first and lie inside the domains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.search_space import Space
from hpo.search.initial_points import POINTS_PER_STUDY, warm_start_space
from hpo.search.samplers import build_sampler
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

SPACE = Space.model_validate(
    {
        "parameters": {
            "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-3},
            "weight_decay": {"type": "uniform", "low": 0.0, "high": 0.2},
            "batch_size": {"type": "choice", "values": [16, 32]},
            "epochs": {"type": "int", "low": 2, "high": 9},
            "lr_schedule": {"type": "choice", "values": ["linear", "cosine"]},
        },
        "points_to_evaluate": [
            {
                "learning_rate": 1e-4,
                "weight_decay": 0.1,
                "batch_size": 16,
                "epochs": 3,
                "lr_schedule": "linear",
            }
        ],
    }
)


def trial(number, f1, params, state=State.COMPLETE):
    measurement = Measurement(1.0, 1, f1, f1, f1, 0.5, 0.5, 1.0)
    return Trial(number, params, 0, state=state, measurements=[measurement])


def test_warm_start_space_puts_the_best_of_each_study_before_its_own_points():
    first = [trial(n, n / 10, {"learning_rate": n * 1e-5}) for n in range(1, 8)]
    second = [trial(0, 0.2, {"learning_rate": 5e-4})]
    rates = [point["learning_rate"] for point in warm_start_space(SPACE, [first, second]).points_to_evaluate]
    assert rates == pytest.approx([7e-5, 6e-5, 5e-5, 5e-4, 1e-4])
    assert POINTS_PER_STUDY == 3


def test_warm_start_space_leaves_out_failed_trials_and_duplicates():
    params = {"learning_rate": 2e-4}
    trials = [trial(0, 0.5, params), trial(1, 0.5, params), trial(2, 0.9, params, State.FAILED)]
    assert len(warm_start_space(SPACE, [trials]).points_to_evaluate) == 2


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "learning_rate": st.floats(1e-9, 1.0),
            "batch_size": st.sampled_from([1, 8, 24, 64]),
            "epochs": st.integers(1, 50),
            "lr_schedule": st.sampled_from(["constant", "cosine"]),
        },
    )
)
def test_warm_start_space_moves_any_value_into_its_domain(params):
    space = warm_start_space(SPACE, [[trial(0, 0.5, params)]])
    for name, domain in space.parameters.items():
        assert domain.contains(space.points_to_evaluate[0][name])


def test_sampler_of_a_warm_started_space_tries_its_points_first():
    space = warm_start_space(SPACE, [[trial(0, 0.5, {"learning_rate": 2e-4})]])
    assert build_sampler("random", space, 1).suggest(0, [])["learning_rate"] == 2e-4
