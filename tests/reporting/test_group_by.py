"""Tests of trials grouped by a hyperparameter."""

import pytest

from hpo.errors import UserError
from hpo.reporting.group_by import group_trials, render_groups
from hpo.search.trial import State


def test_group_trials_by_a_choice_makes_one_group_per_value(record, read_cells):
    record.trials[3].state = State.STOPPED
    record.trials[5].state = State.FAILED
    four, eight = group_trials(record, "batch_size")
    assert (four.value, four.trials, four.stopped, four.best_dev, four.test) == ("4", 14, 0, 0.528, None)
    assert (eight.value, eight.trials, eight.stopped) == ("8", 15, 1)
    assert (eight.best_dev, eight.test) == (0.529, 0.455)
    assert four.mean_dev == pytest.approx(sum(0.5 + n / 1000 for n in range(2, 30, 2)) / 14)
    assert read_cells(render_groups(record, "batch_size"))[0][0] == "batch size"


def test_group_trials_by_a_range_makes_bins_of_about_equal_size(record):
    groups = group_trials(record, "learning_rate")
    assert [group.trials for group in groups] == [8, 7, 8, 7]
    assert groups[0].value == "5e-05 to 0.0008"
    assert [group.best_dev for group in groups] == [0.507, 0.514, 0.522, 0.529]
    assert groups[-1].test == 0.455


def test_group_trials_by_a_fixed_hyperparameter_is_refused_with_the_searched_ones(record):
    with pytest.raises(UserError, match=r"epochs.*learning_rate, batch_size"):
        group_trials(record, "epochs")
