"""HyperBand's brackets against hand-computed decisions, and driven through the controller without Ray."""

import json
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


def study_of(trials=ROUND, epochs=9, **options):
    space = {
        "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
        "fixed": {"epochs": epochs},
    }
    return build_study(
        {"name": "s", "space": space, "algorithm": "hyperband", "trials": trials, "baseline": False} | options
    )


@pytest.mark.parametrize(
    ("grace", "factor", "max_epochs", "levels"),
    [
        (1, 3, 9, (1, 3, 9)), (1, 3, 10, (1, 3, 10)), (1, 3, 20, (1, 3, 20)), (1, 3, 27, (1, 3, 9, 27)),
        (2, 4, 30, (2, 30)), (2, 2, 16, (2, 4, 8, 16)), (1, 3, 2, (2,)), (5, 3, 5, (5,)),
    ],
)  # fmt: skip
def test_rung_levels_are_whole_epochs_and_end_at_the_last_epoch(grace, factor, max_epochs, levels):
    assert rung_levels(grace, factor, max_epochs) == levels


@pytest.mark.parametrize(
    ("grace", "factor", "max_epochs", "expected"),
    [
        (1, 3, 9, [(9, (1, 3)), (5, (3,)), (3, ())]),
        (1, 3, 81, [(81, (1, 3, 9, 27)), (34, (3, 9, 27)), (15, (9, 27)), (8, (27,)), (5, ())]),
        (2, 4, 9, [(4, (2,)), (2, ())]),
        (1, 3, 2, [(1, ()), (1, ())]),
    ],
)
def test_hyperband_brackets_match_the_paper(grace, factor, max_epochs, expected):
    """Li et al. 2018, table 1, has R = 81, eta = 3."""
    scheduler = HyperBand(grace, factor, max_epochs, 10_000)
    found = list(scheduler.brackets(sum(size for size, _ in expected)))
    assert [(len(bracket.numbers), bracket.levels) for bracket in found] == expected
    numbers = [number for bracket in found for number in bracket.numbers]
    assert numbers == list(range(len(numbers)))


def test_hyperband_brackets_repeat_and_the_last_is_cut_to_the_trials_left():
    found = list(HyperBand(1, 3, 9, ROUND + 11).brackets(ROUND + 11))
    assert [len(bracket.numbers) for bracket in found] == [9, 5, 3, 9, 2]
    assert found[4].levels == (3,)


class SimulatedSearch:
    """A search whose workers take turns at random, with scores from a function."""

    def __init__(self, study, folder, f1_of, workers=1, failures=frozenset(), turns=None):
        self.controller = TrialController(study, folder)
        self.f1_of, self.failures, self.max_epochs = f1_of, failures, study.max_epochs
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
            self.controller.on_trial_end(trial.number, State.FAILED, "simulated failure")
        elif self.controller.on_result(trial.number, measure(epoch, self.f1_of(trial.number, epoch))):
            if epoch < self.max_epochs:
                return
            self.controller.on_trial_end(trial.number, State.COMPLETE)
        self.running.remove(trial)


def lines_of(folder):
    return len(list(read_lines(folder.trials)))


def run(path, measure, f1_of, study=None, **options):
    return SimulatedSearch(study or study_of(), StudyFolder("s", path), f1_of, **options).run(measure)


def by_number(number, epoch):
    return number / 100 + epoch / 1000


def test_hyperband_one_round_matches_hand_computed_epochs(tmp_path, measure):
    """9 at 1, the best 3 at 3, the best at 9; 5 at 3, the best at 9; 3 at 9."""
    trials = run(tmp_path, measure, by_number).trials
    epochs = [int(trial.epochs) for trial in trials]
    assert epochs == [1, 1, 1, 1, 1, 1, 3, 3, 9, 3, 3, 3, 3, 9, 9, 9, 9]
    assert Counter(trial.state for trial in trials) == {State.COMPLETE: 5, State.STOPPED: 12}
    assert [trial.number for trial in trials if trial.state == State.COMPLETE] == [8, 13, 14, 15, 16]


def test_hyperband_one_worker_completes_a_bracket_before_the_next(tmp_path, measure):
    search = SimulatedSearch(study_of(), StudyFolder("s", tmp_path), by_number)
    search.run(measure)
    # Trial 8 completes its first rung, so it does not pause there.
    assert search.starts[:13] == [*((number, 0) for number in range(9)), (7, 1), (6, 1), (8, 3), (9, 0)]


def test_hyperband_compares_results_at_the_rung_not_best_results(tmp_path, measure):
    """Trial 9 is the best at epochs 1 and 2, and the worst of its bracket at its rung, epoch 3."""

    def f1_of(number, epoch):
        return 0.9 if number == 9 and epoch < 3 else by_number(number, epoch)

    trials = run(tmp_path, measure, f1_of).trials
    assert trials[9].best.f1 == 0.9
    assert (trials[9].state, trials[9].epochs) == (State.STOPPED, 3)


def test_hyperband_equal_f1_is_ordered_by_loss_then_number(measure):
    scheduler = HyperBand(1, 3, 3, 3)
    losses = [0.5, 0.4, 0.4]
    trials = [Trial(n, {}, 0, State.PAUSED, [measure(1, 0.0, loss)]) for n, loss in enumerate(losses)]
    assert scheduler.next_trial_to_resume(trials).number == 1
    assert scheduler.trials_to_stop(trials) == [0, 2]


def test_hyperband_trial_stays_paused_until_its_rung_is_complete(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(number, {}, 0) for number in range(9)]
    for trial in trials[:8]:
        trial.measurements.append(measure(1, trial.number / 10))
        assert scheduler.on_trial_result(trial, trial.measurements[-1], trials) == SchedulerDecision.PAUSE
        trial.state = State.PAUSED
        assert not scheduler.trials_to_stop(trials)
        assert scheduler.next_trial_to_resume(trials) is None
        assert scheduler.accepts_new_trial(trials, ROUND), "the next bracket may start"
    trials[8].state = State.FAILED
    assert scheduler.trials_to_stop(trials) == [0, 1, 2, 3, 4]
    assert scheduler.next_trial_to_resume(trials).number == 7


def test_hyperband_last_trial_of_a_rung_continues_if_promoted(measure):
    scheduler = HyperBand(1, 3, 3, 3)
    trials = [Trial(n, {}, 0, State.PAUSED, [measure(1, 0.5)]) for n in range(2)] + [Trial(2, {}, 0)]
    for f1, decision in [(0.6, SchedulerDecision.CONTINUE), (0.4, SchedulerDecision.PAUSE)]:
        trials[2].measurements[:] = [measure(1, f1)]
        assert scheduler.on_trial_result(trials[2], trials[2].measurements[0], trials) == decision


def test_hyperband_measurement_between_rungs_continues(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(0, {}, 0)]
    for epoch in (0.25, 0.5, 0.75):
        trials[0].measurements.append(measure(epoch, 0.5))
        assert (
            scheduler.on_trial_result(trials[0], trials[0].measurements[-1], trials)
            == SchedulerDecision.CONTINUE
        )


def test_hyperband_restart_past_a_rung_pauses_at_the_next_measurement(measure):
    """The driver may die after journaling a measurement and before journaling the pause."""
    scheduler = HyperBand(1, 3, 9, ROUND)
    trials = [Trial(0, {}, 0, measurements=[measure(1, 0.5), measure(2, 0.9)])]
    assert scheduler.on_trial_result(trials[0], trials[0].measurements[1], trials) == SchedulerDecision.PAUSE
    assert result_at_rung(trials[0], 1).f1 == 0.5


def test_hyperband_failed_trials_count_and_are_never_promoted(tmp_path, measure):
    failures = {(number, 1) for number in (6, 7, 8)} | {(5, 2)}
    trials = run(tmp_path, measure, by_number, failures=failures).trials
    # Of nine trials, 3, 4 and 5 are promoted; then 5 fails, and 4 is the best.
    assert [int(trial.epochs) for trial in trials[:9]] == [1, 1, 1, 3, 9, 1, 0, 0, 0]
    assert trials[4].state == State.COMPLETE


def test_hyperband_bracket_of_failures_ends(tmp_path, measure):
    controller = run(tmp_path, measure, by_number, failures={(number, 1) for number in range(14)})
    assert controller.finished
    assert [trial.number for trial in controller.trials if trial.state == State.COMPLETE] == [14, 15, 16]


@pytest.mark.parametrize(("budget", "complete"), [(1, [0]), (2, [1]), (4, [3]), (11, [8, 10]), (14, [8, 13])])
def test_hyperband_exhausted_budget_closes_the_last_bracket(tmp_path, measure, budget, complete):
    controller = run(tmp_path, measure, by_number, study_of(trials=budget))
    assert controller.finished
    assert [trial.number for trial in controller.trials if trial.state == State.COMPLETE] == complete


def test_result_at_rung_completed_short_trial_counts_with_its_last_result(measure):
    scheduler = HyperBand(1, 3, 9, ROUND)
    brief = Trial(0, {"epochs": 2}, 0, State.COMPLETE, [measure(1, 0.5), measure(2, 0.8)])
    assert scheduler.on_trial_result(brief, brief.measurements[1], [brief]) == SchedulerDecision.CONTINUE
    assert [result_at_rung(brief, level).f1 for level in (1, 2, 3, 9)] == [0.5, 0.8, 0.8, 0.8]
    assert result_at_rung(Trial(0, {}, 0, State.STOPPED, [measure(1, 0.5)]), 3) is None


def test_hyperband_parallel_workers_start_the_next_bracket(tmp_path, measure):
    search = SimulatedSearch(study_of(), StudyFolder("s", tmp_path), by_number, workers=4)
    for _ in range(9):
        search.fill()
        search.step(search.running[-1], measure)
    search.fill()
    assert len(search.running) == 4
    assert len(search.controller.trials) > 9
    assert sum(trial.state == State.PAUSED for trial in search.controller.trials) >= 5


scores = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), min_size=40, max_size=40)
failures = st.frozensets(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=30)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=scores, failures=failures, workers=st.integers(1, 4), budget=st.integers(1, 40),
    turns=st.randoms(use_true_random=False), factor=st.integers(2, 4), epochs=st.integers(1, 9),
)  # fmt: skip
def test_hyperband_any_search_finishes_within_its_trials(
    tmp_path_factory, measure, scores, failures, workers, budget, turns, factor, epochs
):
    study = study_of(trials=budget, reduction_factor=factor, epochs=epochs)
    search = SimulatedSearch(
        study,
        StudyFolder("s", tmp_path_factory.mktemp("s")),
        lambda number, epoch: scores[(number + epoch) % 40],
        workers, failures, turns,
    )  # fmt: skip
    controller = search.run(measure)
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
def test_hyperband_restart_after_any_journal_line_gives_the_same_trials(tmp_path, measure, algorithm):
    study = study_of(algorithm=algorithm)
    noise = [random.Random(number).random() for number in range(ROUND)]
    whole = SimulatedSearch(
        study, StudyFolder("s", tmp_path / "whole"), lambda n, e: noise[n] + e / 100, failures={(4, 1)}
    )
    trials, folder = whole.run(measure).trials, whole.controller.folder
    lines = list(read_lines(folder.trials))
    for cut in range(len(lines) + 1):
        folder.trials.write_text("".join(json.dumps(line) + "\n" for line in lines[:cut]))
        ended = {each.number for each in read_trials(lines[:cut]) if not each.is_open}
        search = SimulatedSearch(study, folder, whole.f1_of, failures=whole.failures)
        assert search.run(measure).trials == trials, f"after {cut} lines"
        assert not ended & {number for number, _ in search.starts}, "an ended trial runs again"


def test_hyperband_repeated_driver_deaths_still_finish_the_search(tmp_path, measure):
    folder = StudyFolder("s", tmp_path)
    for allowed in range(40, 1000, 40):
        search = SimulatedSearch(study_of(), folder, by_number, workers=3, failures={(4, 1)})
        if controller := search.run(measure, allowed):
            break
    assert allowed > 80, "at least one driver died"
    assert controller.finished
    assert [int(trial.epochs) for trial in controller.trials] == [
        1, 1, 1, 1, 0, 1, 3, 3, 9, 3, 3, 3, 3, 9, 9, 9, 9,
    ]  # fmt: skip
