"""Which hyperparameters led to the winner's weights, on lineages made by hand."""

import pytest

from hpo.search.hyperparameter_schedule import params_at_best_epoch, winning_schedule
from hpo.search.trial import ParamsChange, Trial


@pytest.fixture
def lived(measure):
    """A trial that is best at its last epoch, unless told otherwise."""

    def make(number, params, changes=(), epochs=4, best=None):
        trial = Trial(number, params, number, changes=list(changes))
        trial.measurements = [
            measure(epoch, 0.9 if epoch == best else 0.1 * epoch) for epoch in range(1, epochs + 1)
        ]
        return trial

    return make


def test_a_trial_that_never_changed_has_one_segment(lived):
    trial = lived(0, {"x": 1})
    assert winning_schedule([trial], trial) == [{"from_epoch": 0.0, "params": {"x": 1}}]
    assert params_at_best_epoch(trial) == {"x": 1}


def test_before_a_copy_the_knobs_are_the_donors(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 3}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 3}, 0)])
    assert winning_schedule([donor, winner], winner) == [
        {"from_epoch": 0.0, "params": {"x": 1}},
        {"from_epoch": 2, "params": {"x": 3}},
    ]


def test_donors_have_donors_and_what_they_did_later_does_not_count(lived):
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


def test_what_changed_after_the_best_does_not_count(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 3}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 3}, 0)], best=2)
    assert winning_schedule([donor, winner], winner) == [{"from_epoch": 0.0, "params": {"x": 2}}]
    assert params_at_best_epoch(winner) == {"x": 2}


def test_a_change_without_a_donor_stays_in_the_trials_own_line(lived):
    winner = lived(0, {"x": 2}, [ParamsChange(0.0, {"x": 1}, None), ParamsChange(2, {"x": 2}, None)])
    assert [each["from_epoch"] for each in winning_schedule([winner], winner)] == [0.0, 2]


def test_a_trial_that_began_as_a_copy_has_its_donors_past(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 2}, [ParamsChange(3, {"x": 2}, 0)])
    assert [each["params"]["x"] for each in winning_schedule([donor, winner], winner)] == [1, 2]


def test_a_change_that_changed_nothing_makes_no_segment(lived):
    donor = lived(0, {"x": 1})
    winner = lived(1, {"x": 1}, [ParamsChange(0.0, {"x": 2}, None), ParamsChange(2, {"x": 1}, 0)])
    assert winning_schedule([donor, winner], winner) == [{"from_epoch": 0.0, "params": {"x": 1}}]
