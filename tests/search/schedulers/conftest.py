"""Fixtures of the scheduler tests: simulated workers that write snapshots and share one controller."""

import json
import os

import numpy as np
import pytest

from hpo.search.trial import State
from hpo.training.measurement import SNAPSHOT_FILE, Snapshot, read_snapshot


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


class Worker:
    """Simulates a worker, one evaluation per step; the score accumulates in the snapshot like weights."""

    def __init__(self, controller, measure, fails):
        self.controller, self.measure, self.fails = controller, measure, fails
        self.trial = None

    def step(self):
        """Start, resume or continue a trial by one evaluation; return False if there is nothing to do."""
        if self.trial is None:
            self.trial = self.controller.next_trial()
            return self.trial is not None
        number, snapshot_folder = self.trial.number, self.controller.folder.snapshot(self.trial.number)
        snapshot = read_snapshot(snapshot_folder)
        if snapshot and snapshot.last.epoch > self.trial.worker_config()["reported_epoch"]:
            self._report(snapshot.last)
            return True
        epoch, score = (snapshot.last.epoch, snapshot.last.f1) if snapshot else (0.0, 0.0)
        if epoch >= 4:
            self._end(State.COMPLETE)
        elif (number, epoch) in self.fails:
            self._end(State.FAILED)
        else:
            gain = 0.1 - abs(np.log10(self.trial.params["learning_rate"]) + 3) / 30
            now = self.measure(epoch + 0.5, round(score + gain, 9))
            snapshot_folder.mkdir(parents=True, exist_ok=True)
            (snapshot_folder / SNAPSHOT_FILE).unlink(
                missing_ok=True
            )  # replaced, because a donor may link to it
            (snapshot_folder / SNAPSHOT_FILE).write_text(json.dumps(Snapshot(now, now, 1).to_json()))
            self.controller.folder.checkpoint(number).mkdir(parents=True, exist_ok=True)
            self._report(now)
        return True

    def _report(self, measurement):
        if not self.controller.on_result(self.trial.number, measurement):
            self.trial = None

    def _end(self, state):
        self.controller.on_trial_end(self.trial.number, state)
        self.trial = None


@pytest.fixture
def make_worker(measure):
    def make(controller, fails=()):
        return Worker(controller, measure, set(fails))

    return make


@pytest.fixture
def run_workers(make_worker):
    def run(controller, fails=(), workers=1, order=None, look=lambda: None):
        """Step the workers in turn until none has anything to do."""
        pool = [make_worker(controller, fails) for _ in range(workers)]
        while True:
            if order:
                order.shuffle(pool)
            moved = [worker.step() for worker in pool]
            if not any(moved):
                return controller
            look()

    return run
