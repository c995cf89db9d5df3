"""Tests that a repeatedly killed driver makes the same decisions as an uninterrupted one."""

import json
import math
import os
import random

import pytest

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.trial import State
from hpo.storage.journal import Journal
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import SNAPSHOT_FILE, Snapshot, read_snapshot

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "hidden_dropout": {"type": "uniform", "low": 0.0, "high": 0.3},
        "batch_size": {"type": "choice", "values": [16, 32]},
    },
    "fixed": {"epochs": 9},
}
KILLS = 50


class Killed(BaseException):
    """A BaseException, so that no handler in the package catches it."""


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def f1_of(params, epoch):
    miss = abs(math.log10(params["learning_rate"]) + 3) / 3 + params["hidden_dropout"]
    return round(max(0.0, (1 - miss) * (1 - 0.7**epoch)), 6)


def work(controller, measure, at_risk):
    """Run trials like a worker: write a snapshot before each report, and report it again after a restart."""
    while (trial := controller.next_trial()) is not None:
        config = trial.worker_config()
        place = controller.folder.snapshot(trial.number)
        snapshot = read_snapshot(place)
        if (
            snapshot
            and snapshot.last.epoch > config["reported_epoch"]
            and not controller.on_result(trial.number, snapshot.last)
        ):
            continue
        done = int(snapshot.last.epoch) if snapshot else 0
        for epoch in range(done + 1, 10):
            measurement = measure(epoch, f1_of(config["params"], epoch))
            place.mkdir(parents=True, exist_ok=True)
            (place / SNAPSHOT_FILE).write_text(json.dumps(Snapshot(measurement, measurement, 1).to_json()))
            at_risk()
            if not controller.on_result(trial.number, measurement):
                break
            at_risk()
        else:
            controller.on_trial_end(trial.number, State.COMPLETE)
        at_risk()


def decisions(controller):
    return [
        (
            trial.number,
            trial.params,
            trial.seed,
            trial.state,
            trial.changes,
            [m.epoch for m in trial.measurements],
        )
        for trial in controller.trials
    ]


def study_of(algorithm):
    return build_study({"name": "s", "space": SPACE, "trials": 24, "algorithm": algorithm})


def torn(append, chance):
    """A journal whose process may die within a line or after it."""

    def risky(self, line, *, durable=False):
        draw = chance.random()
        if draw < 0.04:
            self._file.write(json.dumps(line).encode()[:-3])
            self._file.flush()
            raise Killed
        append(self, line, durable=durable)
        if draw > 0.96:
            raise Killed

    return risky


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_driver_killed_many_times_makes_the_same_decisions(tmp_path, measure, monkeypatch, algorithm):
    whole = TrialController(study_of(algorithm), StudyFolder("s", tmp_path / "whole"))
    work(whole, measure, lambda: None)

    chance, kills = random.Random(7), 0

    def at_risk():
        if kills < KILLS and chance.random() < 0.1:
            raise Killed

    append = Journal.append
    folder = StudyFolder("s", tmp_path / "killed")
    while True:
        monkeypatch.setattr(Journal, "append", torn(append, chance) if kills < KILLS else append)
        try:
            controller = TrialController(study_of(algorithm), folder)
            work(controller, measure, at_risk)
            break
        except Killed:
            kills += 1
    assert kills == KILLS or controller.finished
    assert kills > 20
    assert decisions(controller) == decisions(whole)
