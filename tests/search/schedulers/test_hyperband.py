"""HyperBand's brackets, worked by hand, and driven by a fake objective in the place of Ray."""

import json
import os
import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.rungs import result_at_rung, rung_levels
from hpo.search.schedulers.base import SchedulerDecision
from hpo.search.schedulers.hyperband import HyperBand
from hpo.search.trial import State, Trial, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

ROUND = 9 + 5 + 3
"""Trials of the three brackets of r = 1, eta = 3, R = 9."""


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def study_of(trials=ROUND, epochs=9, **options):
    space = {
        "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
        "fixed": {"epochs": epochs},
    }
    return build_study(
        {"name": "s", "space": space, "algorithm": "hyperband", "trials": trials, "baseline": False} | options
    )


@pytest.mark.parametrize(
    ("grace", "factor", "most", "levels"),
    [
        (1, 3, 9, (1, 3, 9)), (1, 3, 10, (1, 3, 10)), (1, 3, 20, (1, 3, 20)), (1, 3, 27, (1, 3, 9, 27)),
        (2, 4, 30, (2, 30)), (2, 2, 16, (2, 4, 8, 16)), (1, 3, 2, (2,)), (5, 3, 5, (5,)),
    ],
)  # fmt: skip
def test_levels_are_whole_epochs_and_the_last_is_the_end(grace, factor, most, levels):
    assert rung_levels(grace, factor, most) == levels


@pytest.mark.parametrize(
    ("grace", "factor", "most", "expected"),
    [
        (1, 3, 9, [(9, (1, 3)), (5, (3,)), (3, ())]),
        (1, 3, 81, [(81, (1, 3, 9, 27)), (34, (3, 9, 27)), (15, (9, 27)), (8, (27,)), (5, ())]),
        (2, 4, 9, [(4, (2,)), (2, ())]),
        (1, 3, 2, [(1, ()), (1, ())]),
    ],
)
def test_brackets_are_those_of_the_paper(grace, factor, most, expected):
    """Li et al. 2018, table 1, has R = 81, eta = 3."""
    scheduler = HyperBand(grace, factor, most, 10_000)
    found = list(scheduler.brackets(sum(size for size, _ in expected)))
    assert [(len(bracket.numbers), bracket.levels) for bracket in found] == expected
    numbers = [number for bracket in found for number in bracket.numbers]
    assert numbers == list(range(len(numbers)))


def test_brackets_come_again_and_the_last_is_as_large_as_the_budget_has_it():
    found = list(HyperBand(1, 3, 9, ROUND + 11).brackets(ROUND + 11))
    assert [len(bracket.numbers) for bracket in found] == [9, 5, 3, 9, 2]
    assert found[4].levels == (3,)


class Course:
    """A search whose workers take turns at random, with the scores of a table."""

    def __init__(self, study, folder, f1_of, workers=1, failures=frozenset(), turns=None):
        self.controller = TrialController(study, folder)
        self.f1_of, self.failures, self.most = f1_of, failures, study.max_epochs
        self.workers, self.turns = workers, turns or random.Random(0)
        self.running, self.starts = [], []

    def run(self, measure, allowed=None):
        while True:
            self.fill()
            if not self.running:
                return self.controller
            if allowed is not None and lines_of(self.controller.folder) >= allowed:
                return None
            self.step(self.turns.choice(self.running), measure)

    def fill(self):
        while len(self.running) < self.workers and (trial := self.controller.next_trial()):
            assert trial not in self.running
            self.running.append(trial)
            self.starts.append((trial.number, int(trial.epochs)))

    def step(self, trial, measure):
        epoch = int(trial.epochs) + 1
        if (trial.number, epoch) in self.failures:
            self.controller.on_trial_end(trial.number, State.FAILED, "as if")
        elif self.controller.on_result(trial.number, measure(epoch, self.f1_of(trial.number, epoch))):
            if epoch < self.most:
                return
            self.controller.on_trial_end(trial.number, State.COMPLETE)
        self.running.remove(trial)


def lines_of(folder):
    return len(list(read_lines(folder.trials)))


def run(path, measure, f1_of, study=None, **options):
    return Course(study or study_of(), StudyFolder("s", path), f1_of, **options).run(measure)


def by_number(number, epoch):
    return number / 100 + epoch / 1000


def test_a_round_worked_by_hand(tmp_path, measure):
    """9 at 1, the best 3 at 3, the best at 9; 5 at 3, the best at 9; 3 at 9."""
    trials = run(tmp_path, measure, by_number).trials
    epochs = [int(trial.epochs) for trial in trials]
    assert epochs == [1, 1, 1, 1, 1, 1, 3, 3, 9, 3, 3, 3, 3, 9, 9, 9, 9]
    assert Counter(trial.state for trial in trials) == {State.COMPLETE: 5, State.STOPPED: 12}
    assert [trial.number for trial in trials if trial.state == State.COMPLETE] == [8, 13, 14, 15, 16]


def test_with_one_worker_a_bracket_ends_before_the_next_begins(tmp_path, measure):
    course = Course(study_of(), StudyFolder("s", tmp_path), by_number)
    course.run(measure)
    # Number 8 is the last at its first rung, so it need not wait there for others.
    assert course.starts[:13] == [*((number, 0) for number in range(9)), (7, 1), (6, 1), (8, 3), (9, 0)]


def test_trials_are_compared_at_the_rung_and_not_by_their_best(tmp_path, measure):
    """Trial 9 is best at epochs 1 and 2, and the worst of its bracket at 3, where it counts."""

    def f1_of(number, epoch):
        return 0.9 if number == 9 and epoch < 3 else by_number(number, epoch)

    trials = run(tmp_path, measure, f1_of).trials
    assert trials[9].best.f1 == 0.9
    assert (trials[9].state, trials[9].epochs) == (State.STOPPED, 3)


def test_ties_go_by_loss_and_then_by_number(measure):
    scheduler = HyperBand(1, 3, 3, 3)
    losses = [0.5, 0.4, 0.4]
    trials = [Trial(n, {}, 0, State.PAUSED, [measure(1, 0.0, loss)]) for n, loss in enumerate(losses)]
    assert scheduler.next_trial_to_resume(trials).number == 1
    assert scheduler.trials_to_stop(trials) == [0, 2]


def test_a_trial_waits_until_its_rung_is_full(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(number, {}, 0) for number in range(9)]
    for trial in trials[:8]:
        trial.measurements.append(measure(1, trial.number / 10))
        assert scheduler.on_trial_result(trial, trial.measurements[-1], trials) == SchedulerDecision.PAUSE
        trial.state = State.PAUSED
        assert not scheduler.trials_to_stop(trials)
        assert scheduler.next_trial_to_resume(trials) is None
        assert scheduler.accepts_new_trial(trials, ROUND), "the next bracket may begin"
    trials[8].state = State.FAILED
    assert scheduler.trials_to_stop(trials) == [0, 1, 2, 3, 4]
    assert scheduler.next_trial_to_resume(trials).number == 7


def test_the_last_to_come_goes_on_at_once_if_it_is_among_the_best(measure):
    scheduler = HyperBand(1, 3, 3, 3)
    trials = [Trial(n, {}, 0, State.PAUSED, [measure(1, 0.5)]) for n in range(2)] + [Trial(2, {}, 0)]
    for f1, decision in [(0.6, SchedulerDecision.CONTINUE), (0.4, SchedulerDecision.PAUSE)]:
        trials[2].measurements[:] = [measure(1, f1)]
        assert scheduler.on_trial_result(trials[2], trials[2].measurements[0], trials) == decision


def test_evaluations_between_whole_epochs_make_nobody_wait(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(0, {}, 0)]
    for epoch in (0.25, 0.5, 0.75):
        trials[0].measurements.append(measure(epoch, 0.5))
        assert (
            scheduler.on_trial_result(trials[0], trials[0].measurements[-1], trials)
            == SchedulerDecision.CONTINUE
        )


def test_a_restart_past_a_rung_waits_at_the_next_measurement(measure):
    """The driver may die after it heard a measurement and before it wrote that the trial is to wait."""
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(0, {}, 0, measurements=[measure(1, 0.5), measure(2, 0.9)])]
    assert scheduler.on_trial_result(trials[0], trials[0].measurements[1], trials) == SchedulerDecision.PAUSE
    assert result_at_rung(trials[0], 1).f1 == 0.5


def test_failed_trials_count_and_never_go_on(tmp_path, measure):
    failures = {(number, 1) for number in (6, 7, 8)} | {(5, 2)}
    trials = run(tmp_path, measure, by_number, failures=failures).trials
    # Of nine, three go on: 3, 4 and 5; of these 5 fails on the way, and 4 is the best.
    assert [int(trial.epochs) for trial in trials[:9]] == [1, 1, 1, 3, 9, 1, 0, 0, 0]
    assert trials[4].state == State.COMPLETE


def test_a_bracket_of_failures_ends(tmp_path, measure):
    controller = run(tmp_path, measure, by_number, failures={(number, 1) for number in range(14)})
    assert controller.finished
    assert [trial.number for trial in controller.trials if trial.state == State.COMPLETE] == [14, 15, 16]


@pytest.mark.parametrize(("budget", "complete"), [(1, [0]), (2, [1]), (4, [3]), (11, [8, 10]), (14, [8, 13])])
def test_a_used_up_budget_closes_the_last_bracket(tmp_path, measure, budget, complete):
    controller = run(tmp_path, measure, by_number, study_of(trials=budget))
    assert controller.finished
    assert [trial.number for trial in controller.trials if trial.state == State.COMPLETE] == complete


def test_a_trial_with_fewer_epochs_stands_on_later_rungs_with_its_last(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    brief = Trial(0, {"epochs": 2}, 0, State.COMPLETE, [measure(1, 0.5), measure(2, 0.8)])
    assert scheduler.on_trial_result(brief, brief.measurements[1], [brief]) == SchedulerDecision.CONTINUE
    assert [result_at_rung(brief, level).f1 for level in (1, 2, 3, 9)] == [0.5, 0.8, 0.8, 0.8]
    assert result_at_rung(Trial(0, {}, 0, State.STOPPED, [measure(1, 0.5)]), 3) is None


def test_parallel_workers_begin_the_next_bracket_rather_than_wait(tmp_path, measure):
    course = Course(study_of(), StudyFolder("s", tmp_path), by_number, workers=4)
    for _ in range(9):
        course.fill()
        course.step(course.running[-1], measure)
    course.fill()
    assert len(course.running) == 4
    assert len(course.controller.trials) > 9
    assert sum(trial.state == State.PAUSED for trial in course.controller.trials) >= 5


scores = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), min_size=40, max_size=40)
failures = st.frozensets(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=30)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=scores, failures=failures, workers=st.integers(1, 4), budget=st.integers(1, 40),
    turns=st.randoms(use_true_random=False), factor=st.integers(2, 4), epochs=st.integers(1, 9),
)  # fmt: skip
def test_no_search_hangs_or_starts_more_than_its_trials(
    tmp_path_factory, measure, scores, failures, workers, budget, turns, factor, epochs
):
    study = study_of(trials=budget, reduction_factor=factor, epochs=epochs)
    course = Course(
        study,
        StudyFolder("s", tmp_path_factory.mktemp("s")),
        lambda number, epoch: scores[(number + epoch) % 40],
        workers, failures, turns,
    )  # fmt: skip
    controller = course.run(measure)
    assert controller.finished
    assert [trial.number for trial in controller.trials] == list(range(budget))
    scheduler = HyperBand(1, factor, epochs, budget)
    for bracket in scheduler.brackets(budget):
        entered = len(bracket.numbers)
        for level in bracket.levels:
            past = [number for number in bracket.numbers if controller.trials[number].epochs > level]
            failed = sum(trial.state == State.FAILED for trial in controller.trials)
            assert len(past) <= max(1, entered // factor)
            assert past or failed
            entered = max(1, entered // factor)


@pytest.mark.parametrize("algorithm", ["hyperband", "bohb"])
def test_a_restart_at_every_line_decides_the_same(tmp_path, measure, algorithm):
    study = study_of(algorithm=algorithm)
    noise = [random.Random(number).random() for number in range(ROUND)]
    whole = Course(
        study, StudyFolder("s", tmp_path / "whole"), lambda n, e: noise[n] + e / 100, failures={(4, 1)}
    )
    trials, folder = whole.run(measure).trials, whole.controller.folder
    lines = list(read_lines(folder.trials))
    for cut in range(len(lines) + 1):
        folder.trials.write_text("".join(json.dumps(line) + "\n" for line in lines[:cut]))
        ended = {each.number for each in read_trials(lines[:cut]) if not each.is_open}
        course = Course(study, folder, whole.f1_of, failures=whole.failures)
        assert course.run(measure).trials == trials, f"after {cut} lines"
        assert not ended & {number for number, _ in course.starts}, "no trial that ended is run again"


def test_several_workers_may_die_together_and_the_search_ends_as_well(tmp_path, measure):
    folder = StudyFolder("s", tmp_path)
    for allowed in range(40, 1000, 40):
        course = Course(study_of(), folder, by_number, workers=3, failures={(4, 1)})
        if controller := course.run(measure, allowed):
            break
    assert allowed > 80, "it has died"
    assert controller.finished
    assert [int(trial.epochs) for trial in controller.trials] == [
        1, 1, 1, 1, 0, 1, 3, 3, 9, 3, 3, 3, 3, 9, 9, 9, 9,
    ]  # fmt: skip
