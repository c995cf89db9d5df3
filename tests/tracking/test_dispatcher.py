"""Whatever a tracker does, the search goes on, and it is told once."""

import threading
import time

import pytest

from hpo.errors import StudyInterrupted
from hpo.tracking import dispatcher as listener
from hpo.tracking.dispatcher import tracked


class Recorder:
    """Keeps what it was told, and misbehaves where it is asked to."""

    fails_at: str | None = None
    waits: threading.Event | None = None
    heard: list

    def __init__(self, ground):
        self.heard = type(self).heard  # one that hung may go on while the next test has a list of its own
        self._do("init")

    def _do(self, what, *facts):
        if self.waits:
            self.waits.wait(20)
        if what == self.fails_at:
            raise SystemExit("no\nmore")
        self.heard.append((what, *facts))

    def hear(self, report):
        self._do("hear", report.number, len(report.measurements), report.state.value)

    def score(self, scores):
        self._do("score", scores)

    def close(self, state):
        self._do("close", state)


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setitem(listener._CLASSES, "wandb", f"{__name__}:Recorder")
    monkeypatch.setattr(listener, "import_module", lambda name: type("Module", (), {"Recorder": Recorder}))
    monkeypatch.setattr(Recorder, "heard", [], raising=False)
    return Recorder


def test_a_tracker_hears_all_in_order(recorder, study, folder, trials):
    told = []
    with tracked(study("wandb"), folder, told.append) as tracking:
        tracking.catch_up(trials)
    assert recorder.heard == [
        ("init",), ("hear", 0, 3, "stopped"), ("hear", 1, 0, "failed"), ("hear", 2, 2, "running"),
        ("close", "done"),
    ]  # fmt: skip
    assert told == []


def test_what_is_heard_is_the_trial_as_it_stood(recorder, study, folder, trials, measure, monkeypatch):
    monkeypatch.setattr(recorder, "waits", threading.Event())
    with tracked(study("wandb"), folder, print) as tracking:
        tracking.hear(trials[2])
        trials[2].measurements.append(measure(3, 0.5))
        recorder.waits.set()
    assert ("hear", 2, 2, "running") in recorder.heard


@pytest.mark.parametrize("where", ["init", "hear", "score", "close"])
def test_a_tracker_that_fails_is_left_out_and_told_of_once(
    recorder, study, folder, trials, monkeypatch, where
):
    monkeypatch.setattr(recorder, "fails_at", where)
    told = []
    with tracked(study("wandb"), folder, told.append) as tracking:
        tracking.catch_up(trials)
        tracking.score(type("Row", (), {"scores": {}})())
    assert told == ["tracker wandb failed and is left out; the search goes on: SystemExit: no"]
    assert ("close", "done") not in recorder.heard


def test_a_tracker_that_hangs_holds_nothing_up(recorder, study, folder, trials, monkeypatch):
    monkeypatch.setattr(recorder, "waits", threading.Event())
    monkeypatch.setattr(listener, "CLOSE_S", 0.2)
    told, began = [], time.monotonic()
    with tracked(study("wandb"), folder, told.append) as tracking:
        tracking.catch_up(trials)
    assert time.monotonic() - began < 10
    assert told == ["tracker wandb failed and is left out; the search goes on: is not done after 0.2 s"]
    recorder.waits.set()


@pytest.mark.parametrize(
    ("error", "state"), [(StudyInterrupted([]), "interrupted"), (ValueError("x"), "failed")]
)
def test_a_tracker_is_told_how_the_study_ended(recorder, study, folder, error, state):
    with pytest.raises(type(error)), tracked(study("wandb"), folder, print):
        raise error
    assert recorder.heard == [("init",), ("close", state)]


def test_a_study_without_trackers_tells_nobody(study, folder, trials):
    with tracked(study(), folder, print) as tracking:
        tracking.catch_up(trials)
    assert not folder.path.exists()
