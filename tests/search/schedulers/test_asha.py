"""Asynchronous successive halving, worked by hand."""

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
    """What becomes of trials 0, 1, 2 … that reach an epoch one after the other."""
    return [continues(halving, number, measure(epoch, f1)) for number, f1 in enumerate(scores)]


@pytest.mark.parametrize(
    ("grace", "factor", "most", "rungs"),
    [
        (1, 3, 9, [1, 3]), (1, 3, 10, [1, 3, 9]), (1, 2, 8, [1, 2, 4]), (2, 4, 30, [2, 8]),
        (1, 3, 1, []), (5, 3, 5, []), (1, 3, 2, [1]),
    ],
)  # fmt: skip
def test_rungs_stand_at_powers_of_the_factor_and_none_at_the_end(grace, factor, most, rungs):
    assert list(AsynchronousSuccessiveHalving(grace, factor, most).rungs) == rungs


def test_one_in_three_passes_worked_by_hand(measure):
    # After n trials int(n/3) of them, and at least one, may be ahead of nobody who passes.
    scores = [0.5, 0.4, 0.6, 0.55, 0.3, 0.58, 0.57, 0.9]
    #         1:1  2:1  3:1  4:1   5:1  6:2   7:2   8:2  places
    expected = [True, False, True, False, False, True, False, True]
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, scores) == expected


def test_one_in_two_passes_worked_by_hand(measure):
    scores = [0.1, 0.2, 0.15, 0.18, 0.17, 0.3]
    expected = [True, True, False, True, False, True]
    assert decisions(AsynchronousSuccessiveHalving(1, 2, 4), measure, 1, scores) == expected


def test_rising_scores_all_pass_and_falling_ones_stop_after_the_first(measure):
    rising = [number / 10 for number in range(9)]
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, rising) == [True] * 9
    # Place opens for a second at six, and for a third at nine, and both are taken by those before.
    assert decisions(AsynchronousSuccessiveHalving(1, 3, 9), measure, 1, rising[::-1]) == [True] + [False] * 8


@given(st.floats(0, 1), st.floats(0, 100), st.integers(1, 5), st.integers(2, 5))
def test_the_first_trial_always_passes(measure, f1, loss, grace, factor):
    halving = AsynchronousSuccessiveHalving(grace, factor, 100)
    assert all(continues(halving, 7, measure(epoch, f1, loss)) for epoch in range(1, 101))


def test_a_tie_in_f1_is_broken_by_loss(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    assert continues(halving, 0, measure(1, 0.5, loss=0.3))
    assert not continues(halving, 1, measure(1, 0.5, loss=0.4))
    assert continues(halving, 2, measure(1, 0.5, loss=0.2))


def test_a_better_f1_counts_more_than_a_better_loss(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    assert continues(halving, 0, measure(1, 0.5, loss=9.0))
    assert not continues(halving, 1, measure(1, 0.4999, loss=0.1))


def test_where_all_f1_are_zero_most_are_still_stopped(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    losses = [1.0 + (number * 37 % 60) / 60 for number in range(60)]
    passed = [continues(halving, number, measure(1, 0.0, loss=loss)) for number, loss in enumerate(losses)]
    assert 5 < sum(passed) < 30


def test_an_evaluation_before_a_whole_rung_enters_no_rung(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(1, 0.9))
    for epoch in (0.25, 0.5, 0.75, 0.999):
        assert continues(halving, 1, measure(epoch, 0.0))
    assert list(halving.rungs[1]) == [0]
    assert not continues(halving, 1, measure(1.0, 0.0))
    assert continues(halving, 0, measure(2.75, 0.0)), "past a rung, no rung looks until the next"
    assert halving.rungs[3] == {}


def test_only_the_first_measurement_past_a_rung_counts_for_it(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(1, 0.5))
    continues(halving, 0, measure(2, 0.9))
    assert halving.rungs[1][0] == (0.5, -0.5)


def test_a_trial_first_measured_beyond_a_rung_enters_that_rung_then(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 27)
    assert continues(halving, 0, measure(4, 0.5))
    assert list(halving.rungs[1]) == list(halving.rungs[3]) == [0]
    assert halving.rungs[9] == {}
    assert not continues(halving, 1, measure(4, 0.4))
    assert list(halving.rungs[1]) == list(halving.rungs[3]) == [0, 1], (
        "it counts even where it failed to pass"
    )


def test_a_forgotten_trial_takes_no_ones_place(measure):
    halving = AsynchronousSuccessiveHalving(1, 3, 9)
    continues(halving, 0, measure(3, 0.9))
    halving.remove_trial(Trial(0, {}, 0))
    assert continues(halving, 1, measure(1, 0.1))
    assert continues(halving, 0, measure(1, 0.2)), "it may come again"
    halving.remove_trial(Trial(99, {}, 0))


def test_the_rungs_do_not_depend_on_the_order_of_arrival(measure):
    trials = [(number, measure(1, f1)) for number, f1 in enumerate([0.1, 0.4, 0.2, 0.3])]
    rungs = []
    for order in itertools.permutations(trials):
        halving = AsynchronousSuccessiveHalving(1, 2, 4)
        for number, measurement in order:
            continues(halving, number, measurement)
        rungs.append(halving.rungs)
    assert all(each == rungs[0] for each in rungs)


@given(st.permutations(range(12)), st.integers(2, 4))
def test_the_best_passes_whenever_it_comes_and_the_worst_only_when_first(measure, order, factor):
    halving = AsynchronousSuccessiveHalving(1, factor, 100)
    passed = {place: continues(halving, place, measure(1, place / 12)) for place in order}
    assert passed[11]
    assert passed[0] == (order[0] == 0)


def test_rungs_after_a_restart_are_those_before_it(measure):
    history = [(number, measure(epoch, number / 7)) for number in range(7) for epoch in (1, 2, 3)]
    before, after = AsynchronousSuccessiveHalving(1, 3, 9), AsynchronousSuccessiveHalving(1, 3, 9)
    for number, measurement in sorted(history, key=lambda each: each[1].epoch):
        continues(before, number, measurement)
    for number, measurement in history:
        continues(after, number, measurement)
    assert before.rungs == after.rungs
