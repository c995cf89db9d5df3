"""Tests of the progress display with made-up trials."""

import io

import pytest
from rich.console import Console

from hpo.config.study import build_study
from hpo.reporting import progress
from hpo.reporting.progress import ProgressDisplay, show_progress
from hpo.search.controller import TrialController
from hpo.search.trial import State
from hpo.storage.study_folder import StudyFolder


class Clock:
    """A clock that tests advance."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def controller(tmp_path):
    return TrialController(
        build_study({"name": "s", "trials": 4, "algorithm": "random"}), StudyFolder("s", tmp_path)
    )


def end_trial(controller, measure, f1, state=State.COMPLETE, epochs=2.0):
    trial = controller.next_trial()
    controller.on_result(trial.number, measure(epochs, f1))
    controller.on_trial_end(trial.number, state)


def test_line_before_the_first_end_has_no_score_and_no_time_left(controller, clock):
    display = ProgressDisplay(controller)
    assert display.line() == (
        "0/4 trials done (0 stopped early) · 0 running · no score yet · 0.0 epochs · 0:00:00 elapsed"
    )


def test_line_counts_every_end_and_shows_the_best_trial_that_did_not_fail(controller, clock, measure):
    display = ProgressDisplay(controller)
    end_trial(controller, measure, 0.5)
    end_trial(controller, measure, 0.9, State.FAILED)
    end_trial(controller, measure, 0.7, State.STOPPED, epochs=0.5)
    controller.next_trial()
    clock.now += 90
    assert display.line() == (
        "3/4 trials done (1 stopped early, 1 failed) · 1 running · best F1 0.7000 (trial 2, epoch 0.5)"
        " · 4.5 epochs · 0:01:30 elapsed · 0:00:30 left"
    )
    controller.on_trial_end(3, State.COMPLETE)
    assert display.line().endswith("0:01:30 elapsed · done")


def test_line_of_a_resumed_search_estimates_time_from_new_trials_only(controller, clock, measure):
    end_trial(controller, measure, 0.5)
    end_trial(controller, measure, 0.5)
    display = ProgressDisplay(controller)
    clock.now += 60
    assert "left" not in display.line()
    end_trial(controller, measure, 0.5)
    assert display.line().endswith("0:01:00 elapsed · 0:01:00 left")


def draw(display):
    console = Console(file=io.StringIO(), width=120)
    console.print(display.draw())
    return console.file.getvalue()


def test_draw_shows_the_study_and_its_running_trials(controller, clock, measure):
    display = ProgressDisplay(controller)
    trial = controller.next_trial()
    controller.on_result(0, measure(1.25, 0.4321))
    controller.next_trial()
    text = draw(display)
    assert text.startswith("s\n")
    assert "0/4 trials done" in text
    assert f"learning rate {trial.params['learning_rate']:.3g}" in text
    assert [line.split()[:6] for line in text.splitlines() if line.startswith("  trial")] == [
        ["trial", "0", "epoch", "1.25", "F1", "0.4321"],
        ["trial", "1", "epoch", "0.00", "F1", "-"],
    ]


def test_show_progress_without_a_terminal_prints_lines_at_intervals(controller, clock, measure):
    console = Console(file=io.StringIO(), width=40)
    with show_progress(controller, console):
        for _ in range(4):
            end_trial(controller, measure, 0.5)
            clock.now += progress.LINE_EVERY_S / 2
    lines = console.file.getvalue().splitlines()
    assert 2 < len(lines) < 6, "of twelve changes"
    assert all(line.count("trials done") == 1 for line in lines), "one line each, however narrow"
    assert lines[-1].startswith("4/4 trials done")


def test_show_progress_on_a_terminal_leaves_only_the_last_line(controller, clock, measure):
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    with show_progress(controller, console):
        end_trial(controller, measure, 0.5)
    assert "1/4 trials done" in console.file.getvalue().splitlines()[-1]
