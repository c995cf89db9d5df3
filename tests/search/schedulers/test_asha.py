"""Asynchronous successive halving against hand-computed decisions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.schedulers.asha import AsynchronousSuccessiveHalving
from hpo.search.schedulers.base import SchedulerDecision
from hpo.search.trial import Trial


def continues(halving, number, measurement):
    return halving.on_trial_result(Trial(number, {}, 0), measurement, ()) == SchedulerDecision.CONTINUE


def decisions(halving, measure, epoch, scores):
    """Return whether trials 0, 1, 2 … continue when they reach an epoch in this order."""
    return [continues(halving, number, measure(epoch, f1)) for number, f1 in enumerate(scores)]


@pytest.mark.parametrize(
    ("grace", "factor", "max_epochs", "rungs"),
    [
        (1, 3, 9, [1, 3]), (1, 3, 10, [1, 3, 9]), (1, 2, 8, [1, 2, 4]), (2, 4, 30, [2, 8]),
        (1, 3, 1, []), (5, 3, 5, []), (1, 3, 2, [1]),
    ],
)  # fmt: skip
def test_asha_rungs_are_at_powers_of_the_factor_below_the_last_epoch(grace, factor, max_epochs, rungs):
    assert list(AsynchronousSuccessiveHalving(grace, factor, max_epochs).rungs) == rungs


def test_asha_factor_three_matches_hand_computed_decisions(measure):
    # After n trials, a trial passes if it is among the best max(1, int(n / 3)).
    scores = [0.5, 0.4, 0.6, 0.55, 0.3, 0.58, 0.57, 0.9]
    #         1:1  2:1  3:1  4:1   5:1  6:2   7:2   8:2  places
    expected = [True, False, True, False, False, True, False, True]
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, scores) == expected


def test_asha_factor_two_matches_hand_computed_decisions(measure):
    scores = [0.1, 0.2, 0.15, 0.18, 0.17, 0.3]
    expected = [True, True, False, True, False, True]
    assert decisions(AsynchronousSuccessiveHalving(1, 2, 4), measure, 1, scores) == expected


def test_asha_rising_scores_all_continue_and_falling_scores_stop(measure):
    rising = [number / 10 for number in range(9)]
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, rising) == [True] * 9
    # A second trial may pass at six and a third at nine, but earlier trials take both places.
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, rising[::-1]) == [True] + [False] * 8


@given(st.floats(0, 1), st.floats(0, 100), st.integers(1, 5), st.integers(2, 5))
def test_asha_first_trial_always_continues(measure, f1, loss, grace, factor):
    halving = AsynchronousSuccessiveHalving(grace, factor, 100)
    assert all(continues(halving, 7, measure(epoch, f1, loss)) for epoch in range(1, 101))


def test_asha_equal_f1_is_ordered_by_loss(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    assert continues(halving, 0, measure(1, 0.5, loss=0.3))
    assert not continues(halving, 1, measure(1, 0.5, loss=0.4))
    assert continues(halving, 2, measure(1, 0.5, loss=0.2))


def test_asha_higher_f1_beats_lower_loss(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    assert continues(halving, 0, measure(1, 0.5, loss=9.0))
    assert not continues(halving, 1, measure(1, 0.4999, loss=0.1))


def test_asha_all_f1_zero_still_stops_most_trials(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    losses = [1.0 + (number * 37 % 60) / 60 for number in range(60)]
    passed = [continues(halving, number, measure(1, 0.0, loss=loss)) for number, loss in enumerate(losses)]
    assert 5 < sum(passed) < 30


def test_asha_measurement_between_rungs_enters_no_rung(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(1, 0.9))
    for epoch in (0.25, 0.5, 0.75, 0.999):
        assert continues(halving, 1, measure(epoch, 0.0))
    assert list(halving.rungs[1]) == [0]
    assert not continues(halving, 1, measure(1.0, 0.0))
    assert continues(halving, 0, measure(2.75, 0.0)), "no comparison between rungs"
    assert halving.rungs[3] == {}


def test_asha_later_measurement_does_not_replace_the_result_at_a_rung(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(1, 0.5))
    continues(halving, 0, measure(2, 0.9))
    assert halving.rungs[1][0] == (0.5, -0.5)


def test_asha_first_measurement_past_two_rungs_enters_both(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 27)
    assert continues(halving, 0, measure(4, 0.5))
    assert list(halving.rungs[1]) == list(halving.rungs[3]) == [0]
    assert halving.rungs[9] == {}
    assert not continues(halving, 1, measure(4, 0.4))
    assert list(halving.rungs[1]) == list(halving.rungs[3]) == [0, 1], "a stopped trial still counts"


def test_remove_trial_frees_its_place_in_every_rung(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(3, 0.9))
    halving.remove_trial(Trial(0, {}, 0))
    assert continues(halving, 1, measure(1, 0.1))
    assert continues(halving, 0, measure(1, 0.2)), "a removed trial may be entered again"
    halving.remove_trial(Trial(99, {}, 0))


def test_asha_order_of_arrival_does_not_change_the_rungs(measure):
    trials = [(number, measure(1, f1)) for number, f1 in enumerate([0.1, 0.4, 0.2, 0.3])]
    rungs = []
    for order in itertools.permutations(trials):
        halving = AsynchronousSuccessiveHalving(1, 2, 4)
        for number, measurement in order:
            continues(halving, number, measurement)
        rungs.append(halving.rungs)
    assert all(each == rungs[0] for each in rungs)


@given(st.permutations(range(12)), st.integers(2, 4))
def test_asha_best_trial_continues_in_any_order_and_worst_only_if_first(measure, order, factor):
    halving = AsynchronousSuccessiveHalving(1, factor, 100)
    passed = {place: continues(halving, place, measure(1, place / 12)) for place in order}
    assert passed[11]
    assert passed[0] == (order[0] == 0)


def test_asha_replayed_measurements_rebuild_the_rungs(measure):
    history = [(number, measure(epoch, number / 7)) for number in range(7) for epoch in (1, 2, 3)]
    before, after = AsynchronousSuccessiveHalving(1, 3, 9), AsynchronousSuccessiveHalving(1, 3, 9)
    for number, measurement in sorted(history, key=lambda each: each[1].epoch):
        continues(before, number, measurement)
    for number, measurement in history:
        continues(after, number, measurement)
    assert before.rungs == after.rungs
