"""Tests of the trial controller, with a made-up objective instead of Ray."""

import json
import os

import pytest

from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.top_k import CheckpointThreshold, best_per_value
from hpo.search.trial import State, read_trials
from hpo.search.worker import TrialRunner
from hpo.storage.atomic import read_json
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "batch_size": {"type": "choice", "values": [16, 32]},
    },
    "fixed": {"epochs": 9},
}

RANGE = {"parameters": {"learning_rate": SPACE["parameters"]["learning_rate"]}}
"""A space without choices, each value of which would keep a checkpoint."""


def study_of(**options):
    return build_study({"name": "s", "space": SPACE, "trials": 9, "baseline": False} | options)


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def folder(tmp_path):
    return StudyFolder("s", tmp_path)


def f1_of(trial, epoch):
    return round(0.5 - abs(trial.params["learning_rate"] - 3e-4) * 20 + 0.04 * epoch, 6)


class Died(Exception):
    pass


def work(controller, measure, allowed=None):
    """Run trials like a worker until none is left, or raise after ``allowed`` journal lines."""

    def live():
        if allowed is not None and len(list(read_lines(controller.folder.trials))) >= allowed:
            raise Died

    live()
    while (trial := controller.next_trial()) is not None:
        live()
        if trial.number == 4:
            controller.on_trial_end(4, State.FAILED, "out of memory")
            live()
            continue
        for epoch in range(1, 10):
            continues = controller.on_result(trial.number, measure(epoch, f1_of(trial, epoch)))
            live()
            if not continues:
                break
        else:
            controller.on_trial_end(trial.number, State.COMPLETE)
            live()


def run_whole(folder, measure, **options):
    controller = TrialController(study_of(**options), folder)
    work(controller, measure)
    return controller


@pytest.mark.parametrize("algorithm", ["asha", "hyperband", "bohb", "random", "grid"])
def test_controller_runs_exactly_the_trials_of_the_study(folder, measure, algorithm):
    controller = run_whole(folder, measure, algorithm=algorithm)
    size = 6 if algorithm == "grid" else 9
    assert [trial.number for trial in controller.trials] == list(range(size))
    assert controller.finished
    assert controller.next_trial() is None
    stopped = [trial for trial in controller.trials if trial.state == State.STOPPED]
    assert bool(stopped) == (algorithm in ("asha", "hyperband", "bohb"))
    assert all(trial.epochs in (1, 3) for trial in stopped)


def test_journal_after_every_change_restores_the_trials(folder, measure):
    controller = TrialController(study_of(), folder)
    controller.add_listener(
        lambda trial: read_back.append(read_trials(read_lines(folder.trials)) == controller.trials)
    )
    read_back = []
    work(controller, measure)
    assert len(read_back) > 20
    assert all(read_back)


def test_close_of_a_finished_search_writes_one_line_per_trial(folder, measure):
    controller = run_whole(folder, measure)
    controller.close()
    assert [line["trial"] for line in read_lines(folder.trials)] == list(range(9))
    assert read_trials(read_lines(folder.trials)) == controller.trials
    again = TrialController(study_of(), folder)
    assert again.finished
    assert again.next_trial() is None


def test_close_of_an_unfinished_search_keeps_the_journal(folder, measure):
    controller = TrialController(study_of(), folder)
    trial = controller.next_trial()
    controller.on_result(trial.number, measure(1, 0.5))
    controller.close()
    assert len(list(read_lines(folder.trials))) == 2
    assert not controller.finished


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, measure):
    folder = StudyFolder("s", tmp_path_factory.mktemp("whole"))
    controller = run_whole(folder, measure)
    return controller.trials, list(read_lines(folder.trials))


def test_restart_after_any_journal_line_gives_the_same_trials(folder, measure, uninterrupted):
    trials, lines = uninterrupted
    for cut in range(len(lines) + 1):
        folder.path.mkdir(exist_ok=True)
        folder.trials.write_text("".join(json.dumps(line) + "\n" for line in lines[:cut]))
        ended = {each.number for each in read_trials(lines[:cut]) if each.state != State.RUNNING}
        controller = TrialController(study_of(), folder)
        proposed = []
        controller.add_listener(lambda trial, seen=proposed: trial.measurements or seen.append(trial.number))
        work(controller, measure)
        assert controller.trials == trials, f"after {cut} lines"
        assert not ended & set(proposed), "no trial that ended is run again"


def test_repeated_restarts_give_the_same_trials(folder, measure, uninterrupted):
    trials, lines = uninterrupted
    controller, deaths = None, 0
    for allowed in range(12, 10 * len(lines), 12):
        controller = TrialController(study_of(), folder)
        try:
            work(controller, measure, allowed)
            break
        except Died:
            deaths += 1
    assert deaths >= 3
    assert controller.trials == trials


def test_restart_resumes_running_trials_first_with_the_same_parameters(folder, measure):
    before = TrialController(study_of(), folder)
    first = [before.next_trial() for _ in range(3)]
    before.on_result(0, measure(1, 0.5))
    before.on_trial_end(1, State.COMPLETE)
    after = TrialController(study_of(), folder)
    assert [(t.number, t.params, t.seed) for t in (after.next_trial(), after.next_trial())] == [
        (t.number, t.params, t.seed) for t in (first[0], first[2])
    ]
    assert after.trials[0].measurements == []
    assert after.next_trial().number == 3


def test_trial_seeds_are_distinct_and_fit_in_31_bits(folder, measure):
    seeds = [trial.seed for trial in run_whole(folder, measure).trials]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_on_result_and_on_trial_end_ignore_an_ended_trial(folder, measure):
    controller = TrialController(study_of(), folder)
    controller.next_trial()
    controller.on_trial_end(0, State.FAILED, "first")
    controller.on_trial_end(0, State.COMPLETE, "second")
    assert not controller.on_result(0, measure(1, 0.9))
    assert (controller.trials[0].state, controller.trials[0].reason) == (State.FAILED, "first")
    assert read_trials(read_lines(folder.trials)) == controller.trials
    controller.next_trial()
    assert controller.on_result(1, measure(1, 0.1)), "failed trials leave every rung"


def start(controller, count):
    for _ in range(count):
        controller.next_trial()


def checkpoint(folder, number):
    folder.checkpoint(number).mkdir(parents=True, exist_ok=True)


def test_best_excludes_failed_trials(folder, measure):
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=1), folder)
    start(controller, 2)
    controller.on_result(0, measure(1, 0.9))
    controller.on_result(1, measure(1, 0.2))
    controller.on_trial_end(0, State.FAILED)
    controller.on_trial_end(1, State.COMPLETE)
    assert [trial.number for trial in controller.best] == [1]
    assert CheckpointThreshold.from_json(read_json(folder.threshold)).kth_best == (0.2, -0.5)


def test_threshold_is_the_worst_of_the_top_k_once_k_trials_ended(folder, measure):
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=2), folder)
    start(controller, 4)
    for number, f1 in enumerate([0.3, 0.5, 0.4, 0.1]):
        assert folder.threshold.exists() == (number >= 2)
        controller.on_result(number, measure(1, f1))
        controller.on_trial_end(number, State.COMPLETE)
    assert CheckpointThreshold.from_json(read_json(folder.threshold)).kth_best == (0.4, -0.5)
    assert TrialController(study_of(algorithm="random", keep_checkpoints=2), folder).best == controller.best


def test_threshold_ignores_running_trials(folder, measure):
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=1), folder)
    start(controller, 2)
    controller.on_result(0, measure(1, 0.9))
    assert not folder.threshold.exists()


def test_checkpoint_dir_below_the_threshold_is_none(folder, measure):
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=1), folder)
    run = TrialRunner(controller.study, folder, "tiny", {(512, 0): folder.path})
    assert run.checkpoint_dir(7, {}, measure(1, 0.0)) == folder.checkpoint(7)
    start(controller, 1)
    controller.on_result(0, measure(1, 0.5, loss=0.3))
    controller.on_trial_end(0, State.COMPLETE)
    assert run.checkpoint_dir(7, {}, measure(1, 0.5, loss=0.31)) is None
    assert run.checkpoint_dir(7, {}, measure(1, 0.5, loss=0.3)) == folder.checkpoint(7)
    assert run.checkpoint_dir(7, {}, measure(1, 0.6, loss=9.0)) == folder.checkpoint(7)


def test_on_trial_end_keeps_only_top_and_open_checkpoints(folder, measure):
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=2, space=RANGE), folder)
    start(controller, 5)
    for number in range(5):
        checkpoint(folder, number)
    for number, f1 in [(0, 0.3), (1, 0.5), (2, 0.4)]:
        controller.on_result(number, measure(1, f1))
        controller.on_trial_end(number, State.COMPLETE)
    controller.on_trial_end(3, State.FAILED)
    # Trial 4 has written its model, and its measurement is still on the way.
    assert sorted(path.name for path in folder.complete_checkpoints()) == ["1", "2", "4"]


CHOICES = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "batch_size": {"type": "choice", "values": [8, 16, 32]},
    },
    "points_to_evaluate": [{"learning_rate": 1e-3, "batch_size": size} for size in (16, 16, 32, 32, 16)],
}


def test_checkpoint_of_the_best_trial_per_value_is_kept(folder, measure):
    study = study_of(algorithm="random", keep_checkpoints=1, space=CHOICES)
    controller, run = (
        TrialController(study, folder),
        TrialRunner(study, folder, "tiny", {(512, 0): folder.path}),
    )
    written = []
    for f1 in (0.3, 0.5, 0.2, 0.1, 0.4):
        trial = controller.next_trial()
        if place := run.checkpoint_dir(trial.number, trial.params, measure(1, f1)):
            place.mkdir(parents=True)
            written.append(trial.number)
        controller.on_result(trial.number, measure(1, f1))
        controller.on_trial_end(trial.number, State.COMPLETE)
    assert written == [0, 1, 2], "3 and 4 are behind the best of their value"
    assert sorted(path.name for path in folder.complete_checkpoints()) == ["1", "2"]
    best = best_per_value(study.space, controller.trials)
    assert {value: trial.number for (_, value), trial in best.items()} == {16: 1, 32: 2}
    assert run.checkpoint_dir(9, {"batch_size": 8}, measure(1, 0.0)), "no trial had 8"
    again = TrialController(study, folder)
    assert (
        again.checkpoint_threshold
        == controller.checkpoint_threshold
        == CheckpointThreshold.from_json(read_json(folder.threshold))
    )


def test_top_k_with_several_seeds_keeps_no_checkpoint_per_value(folder, measure):
    study = study_of(
        algorithm="grid",
        keep_checkpoints=1,
        seeds=2,
        space=CHOICES
        | {"parameters": {"batch_size": CHOICES["parameters"]["batch_size"]}, "points_to_evaluate": []},
    )
    controller = TrialController(study, folder)
    start(controller, 2)
    controller.on_result(0, measure(1, 0.3))
    controller.on_trial_end(0, State.COMPLETE)
    assert controller.always_kept == []


def test_best_trials_have_checkpoints_after_failures(folder, measure):
    study = study_of(algorithm="random", keep_checkpoints=2, trials=6, space=RANGE)
    controller, run = (
        TrialController(study, folder),
        TrialRunner(study, folder, "tiny", {(512, 0): folder.path}),
    )
    start(controller, 6)
    scores = {0: 0.9, 1: 0.3, 2: 0.8, 3: 0.4, 4: 0.35, 5: 0.3}
    for number, f1 in scores.items():
        if place := run.checkpoint_dir(number, {}, measure(1, f1)):
            place.mkdir(parents=True)
        controller.on_result(number, measure(1, f1))
        controller.on_trial_end(number, State.FAILED if f1 > 0.5 else State.COMPLETE)
    assert [trial.number for trial in controller.best] == [3, 4]
    assert all(folder.checkpoint(trial.number).exists() for trial in controller.best)


def test_restart_keeps_the_checkpoint_of_an_interrupted_trial(folder, measure):
    controller = TrialController(study_of(), folder)
    start(controller, 1)
    checkpoint(folder, 0)
    after = TrialController(study_of(), folder)
    start(after, 1)
    after.on_result(0, measure(1, 0.5))
    assert folder.complete_checkpoints() == [folder.checkpoint(0)]
