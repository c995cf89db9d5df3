"""Tests of trials and of reading them from the journal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.trial import State, Trial, rank_trials, read_trials


def start(number, **params):
    return {"trial": number, "params": params, "seed": number + 100}


def end(number, state, reason=""):
    return {"trial": number, "state": state, "reason": reason}


def test_read_trials_merges_the_lines_of_a_trial(measure):
    first, second = measure(1, 0.3), measure(2, 0.2)
    lines = [
        start(1, x=2.5),
        {"trial": 1, "measurements": [first.to_json()]},
        start(0, x=1.5),
        {"trial": 1, "measurements": [second.to_json()]},
        end(1, "stopped"),
    ]
    assert read_trials(lines) == [
        Trial(0, {"x": 1.5}, 100),
        Trial(1, {"x": 2.5}, 101, State.STOPPED, [first, second]),
    ]


def test_read_trials_with_a_second_start_replaces_the_first(measure):
    lines = [start(0, x=1), {"trial": 0, "measurements": [measure(1, 0.3).to_json()]}, start(0, x=1)]
    assert read_trials(lines) == [Trial(0, {"x": 1}, 100)]


@pytest.mark.parametrize("state", State)
def test_to_json_round_trips_through_read_trials(state, measure):
    trial = Trial(3, {"x": 1e-5, "y": "a", "z": 4}, 2**40, state, [measure(0.25, 0.1 + 0.2)], "why\nnot")
    assert read_trials([json.loads(json.dumps(trial.to_json()))]) == [trial]


def test_read_trials_without_lines_is_empty():
    assert read_trials([]) == []


def test_best_breaks_f1_ties_by_loss(measure):
    trial = Trial(0, {}, 0)
    assert trial.best is None
    assert trial.epochs == 0
    trial.measurements += [measure(1, 0.5), measure(2, 0.7, 0.4), measure(3, 0.7, 0.3), measure(4, 0.6)]
    assert trial.best.epoch == 3
    assert trial.epochs == 4


def test_best_of_equal_measurements_is_the_first(measure):
    trial = Trial(0, {}, 0, measurements=[measure(1, 0.5), measure(2, 0.5)])
    assert trial.best.epoch == 1


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.1, 0.2])), max_size=8),
    st.randoms(),
)
def test_rank_trials_sorts_by_f1_then_loss_then_number(measure, scores, random):
    trials = [Trial(n, {}, 0, measurements=[measure(1, *score)]) for n, score in enumerate(scores)]
    expected = sorted(trials, key=lambda trial: (-trial.best.f1, trial.best.loss, trial.number))
    random.shuffle(trials)
    assert rank_trials([*trials, Trial(99, {}, 0)], include_failed=True) == expected
