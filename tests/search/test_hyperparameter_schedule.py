"""Tests of hyperparameter schedules on handmade lineages of trials."""

import pytest

from hpo.search.hyperparameter_schedule import params_at, params_at_best_epoch, winning_schedule
from hpo.search.trial import ParamsChange, Trial


@pytest.fixture
def lived(measure):
    """Return a function that makes a trial whose best epoch is ``best``, by default the last."""

    def make(number, params, changes=(), epochs=4, best=None):
        trial = Trial(number, params, number, changes=list(changes))
        trial.measurements = [
            measure(epoch, 0.9 if epoch == best else 0.1 * epoch) for epoch in range(1, epochs + 1)
        ]
        return trial

    return make


def test_winning_schedule_without_changes_has_one_segment(lived):
    trial = lived(0, {"x": 1})
    assert winning_schedule([trial], trial) == [{"from_epoch": 0.0, "params": {"x": 1}}]
    assert params_at_best_epoch(trial) == {"x": 1}


def test_winning_schedule_before_a_copy_is_the_donors(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 3}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 3}, 0)])
    assert winning_schedule([donor, winner], winner) == [
        {"from_epoch": 0.0, "params": {"x": 1}},
        {"from_epoch": 2, "params": {"x": 3}},
    ]


def test_winning_schedule_follows_donors_of_donors(lived):
    first = lived(0, {"x": 9}, [ParamsChange(0.0, {"x": 1}, None), ParamsChange(3, {"x": 9}, 2)])
    second = lived(
        1,
        {"x": 8},
        [ParamsChange(0.0, {"x": 2}, None), ParamsChange(1, {"x": 4}, 0), ParamsChange(3, {"x": 8}, 0)],
    )
    winner = lived(2, {"x": 5}, [ParamsChange(0.0, {"x": 3}, None), ParamsChange(2, {"x": 5}, 1)])
    assert winning_schedule([first, second, winner], winner) == [
        {"from_epoch": 0.0, "params": {"x": 1}},
        {"from_epoch": 1, "params": {"x": 4}},
        {"from_epoch": 2, "params": {"x": 5}},
    ]


def test_winning_schedule_ignores_changes_after_the_best(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 3}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 3}, 0)], best=2)
    assert winning_schedule([donor, winner], winner) == [{"from_epoch": 0.0, "params": {"x": 2}}]
    assert params_at_best_epoch(winner) == {"x": 2}


def test_winning_schedule_without_donor_stays_with_the_trial(lived):
    winner = lived(0, {"x": 2}, [ParamsChange(0.0, {"x": 1}, None), ParamsChange(2, {"x": 2}, None)])
    assert [each["from_epoch"] for each in winning_schedule([winner], winner)] == [0.0, 2]


def test_winning_schedule_of_a_copied_trial_starts_with_its_donor(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 2}, [ParamsChange(3, {"x": 2}, 0)])
    assert [each["params"]["x"] for each in winning_schedule([donor, winner], winner)] == [1, 2]


def test_winning_schedule_merges_equal_segments(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 1}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 1}, 0)])
    assert winning_schedule([donor, winner], winner) == [{"from_epoch": 0.0, "params": {"x": 1}}]


def test_params_at_a_change_are_those_before_it(lived):
    trial = lived(0, {"x": 2}, [ParamsChange(0.0, {"x": 1}, None), ParamsChange(2, {"x": 2}, None)])
    assert [params_at(trial, epoch)["x"] for epoch in (0, 1, 2, 2.5, 3)] == [1, 1, 1, 2, 2]
