"""Tests of worker failures: the trial is resumed on another worker."""

import json
import os

import pytest

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import build_study
from hpo.search.controller import MAX_WORKER_FAILURES, TrialController
from hpo.search.trial import State, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import SNAPSHOT_FILE, Snapshot, read_snapshot

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
    "fixed": {"epochs": 9},
}


def study_of(**options):
    return build_study({"name": "s", "space": SPACE, "trials": 12} | options)


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def folder(tmp_path):
    return StudyFolder("s", tmp_path)


@pytest.fixture
def controller(folder):
    return TrialController(study_of(algorithm="random", trials=2), folder)


def snapshot(folder, number, measurement):
    place = folder.snapshot(number)
    place.mkdir(parents=True, exist_ok=True)
    (place / SNAPSHOT_FILE).write_text(json.dumps(Snapshot(measurement, measurement, 1).to_json()))


def work(controller, measure, dies):
    """Run trials like a worker that writes a snapshot, reports it, and dies when ``dies`` returns True."""
    while (trial := controller.next_trial()) is not None:
        config = trial.worker_config()
        found = read_snapshot(controller.folder.snapshot(trial.number))
        if (
            found
            and found.last.epoch > config["reported_epoch"]
            and not controller.on_result(trial.number, found.last)
        ):
            continue
        for epoch in range(int(found.last.epoch) + 1 if found else 1, 10):
            f1 = round(0.5 - abs(config["params"]["learning_rate"] - 3e-4) * 20 + 0.04 * epoch, 6)
            snapshot(controller.folder, trial.number, measure(epoch, f1))
            if dies(trial, epoch):
                controller.on_worker_failure(trial.number, "its node died")
                break
            if not controller.on_result(trial.number, measure(epoch, f1)):
                break
        else:
            controller.on_trial_end(trial.number, State.COMPLETE)


def fates(controller):
    return [
        (trial.number, trial.params, trial.state, trial.changes, [each.epoch for each in trial.measurements])
        for trial in controller.trials
    ]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_with_worker_failures_makes_the_same_decisions(tmp_path, measure, algorithm):
    whole = TrialController(study_of(algorithm=algorithm), StudyFolder("s", tmp_path / "whole"))
    work(whole, measure, lambda trial, epoch: False)
    seen = set()

    def dies(trial, epoch):
        fresh = (trial.number, epoch) not in seen and trial.number % 3 == 0 and epoch in (1, 2, 7)
        seen.add((trial.number, epoch))
        return fresh

    lossy = TrialController(study_of(algorithm=algorithm), StudyFolder("s", tmp_path / "lossy"))
    work(lossy, measure, dies)
    assert sum(trial.failures for trial in lossy.trials) >= 3
    assert fates(lossy) == fates(whole)
    assert lossy.finished


def test_on_worker_failure_resumes_from_the_snapshot_first(controller, folder, measure):
    controller.next_trial()
    for epoch in (1, 2, 3):
        controller.on_result(0, measure(epoch, 0.5))
    snapshot(folder, 0, measure(2, 0.5))
    controller.on_worker_failure(0, "its node died")
    again = controller.next_trial()
    assert (again.number, again.worker_config()["reported_epoch"], again.failures) == (0, 2, 1)
    assert read_trials(read_lines(folder.trials)) == controller.trials
    assert {"trial": 0, "lost": "its node died"} in list(read_lines(folder.trials))


def test_on_worker_failure_without_snapshot_restarts_the_trial(controller, measure):
    controller.next_trial()
    controller.on_result(0, measure(1, 0.5))
    controller.on_worker_failure(0, "its node died")
    assert controller.next_trial().measurements == []


def test_on_worker_failure_after_the_limit_fails_the_trial(controller, folder):
    controller.next_trial()
    for _ in range(MAX_WORKER_FAILURES):
        controller.on_worker_failure(0, "its worker died")
        assert controller.next_trial().number == 0
    controller.on_worker_failure(0, "its worker died")
    assert controller.trials[0].state == State.FAILED
    assert controller.trials[0].reason == "its worker died (and 3 times before)"
    assert controller.next_trial().number == 1


def test_failures_are_counted_across_restarts_and_journaled(controller, folder):
    controller.next_trial()
    controller.on_worker_failure(0, "its node died")
    controller.close()
    after = TrialController(controller.study, folder)
    assert after.trials[0].failures == 1
    for _ in range(2):
        after.on_trial_end(after.next_trial().number, State.COMPLETE)
    after.close()
    assert [line.get("losses") for line in read_lines(folder.trials)] == [1, None]
    assert read_trials(read_lines(folder.trials)) == after.trials


def test_on_worker_failure_of_an_ended_trial_is_ignored(controller):
    controller.next_trial()
    controller.on_trial_end(0, State.COMPLETE)
    controller.on_worker_failure(0, "its node died")
    assert (controller.trials[0].state, controller.trials[0].failures) == (State.COMPLETE, 0)


def test_no_trials_left_is_false_while_a_trial_runs(controller):
    controller.next_trial()
    controller.next_trial()
    assert controller.exhausted
    assert not controller.no_trials_left(running=1)
    controller.on_worker_failure(1, "its node died")
    assert not controller.no_trials_left(running=0)
