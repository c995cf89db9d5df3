"""The dispatcher: events arrive in order, and a tracker that fails or hangs affects nothing else."""

import threading
import time

import pytest

from hpo.errors import StudyInterrupted
from hpo.tracking import dispatcher as dispatcher_module
from hpo.tracking.dispatcher import start_trackers


class Recorder:
    """Records its calls, and fails or blocks on request."""

    fails_at: str | None = None
    waits: threading.Event | None = None
    calls: list

    def __init__(self, context):
        self.calls = type(self).calls  # a blocked recorder may continue during the next test
        self._record("init")

    def _record(self, method, *arguments):
        if self.waits:
            self.waits.wait(20)
        if method == self.fails_at:
            raise SystemExit("no\nmore")
        self.calls.append((method, *arguments))

    def on_trial_update(self, report):
        self._record("update", report.number, len(report.measurements), report.state.value)

    def on_scores(self, scores):
        self._record("scores", scores)

    def close(self, state):
        self._record("close", state)


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setitem(dispatcher_module.TRACKER_CLASSES, "wandb", f"{__name__}:Recorder")
    monkeypatch.setattr(
        dispatcher_module, "import_module", lambda name: type("Module", (), {"Recorder": Recorder})
    )
    monkeypatch.setattr(Recorder, "calls", [], raising=False)
    return Recorder


def test_dispatcher_existing_trials_reach_the_tracker_in_order(recorder, study, folder, trials):
    warnings = []
    with start_trackers(study("wandb"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
    assert recorder.calls == [
        ("init",), ("update", 0, 3, "stopped"), ("update", 1, 0, "failed"), ("update", 2, 2, "running"),
        ("close", "done"),
    ]  # fmt: skip
    assert warnings == []


def test_on_trial_update_later_change_of_the_trial_is_not_reported(
    recorder, study, folder, trials, measure, monkeypatch
):
    monkeypatch.setattr(recorder, "waits", threading.Event())
    with start_trackers(study("wandb"), folder, print) as dispatcher:
        dispatcher.on_trial_update(trials[2])
        trials[2].measurements.append(measure(3, 0.5))
        recorder.waits.set()
    assert ("update", 2, 2, "running") in recorder.calls


@pytest.mark.parametrize("method", ["init", "update", "scores", "close"])
def test_dispatcher_failing_tracker_is_disabled_with_one_warning(
    recorder, study, folder, trials, monkeypatch, method
):
    monkeypatch.setattr(recorder, "fails_at", method)
    warnings = []
    with start_trackers(study("wandb"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
        dispatcher.on_scores(type("Row", (), {"scores": {}})())
    assert warnings == ["tracker wandb failed and is disabled; the search continues: SystemExit: no"]
    assert ("close", "done") not in recorder.calls


def test_close_hanging_tracker_returns_after_the_timeout(recorder, study, folder, trials, monkeypatch):
    monkeypatch.setattr(recorder, "waits", threading.Event())
    monkeypatch.setattr(dispatcher_module, "CLOSE_TIMEOUT_S", 0.2)
    warnings, began = [], time.monotonic()
    with start_trackers(study("wandb"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
    assert time.monotonic() - began < 10
    assert warnings == [
        "tracker wandb failed and is disabled; the search continues: did not finish within 0.2 s"
    ]
    recorder.waits.set()


@pytest.mark.parametrize(
    ("error", "state"), [(StudyInterrupted([]), "interrupted"), (ValueError("x"), "failed")]
)
def test_start_trackers_error_in_block_closes_with_its_state(recorder, study, folder, error, state):
    with pytest.raises(type(error)), start_trackers(study("wandb"), folder, print):
        raise error
    assert recorder.calls == [("init",), ("close", state)]


def test_dispatcher_without_trackers_writes_nothing(study, folder, trials):
    with start_trackers(study(), folder, print) as dispatcher:
        dispatcher.report_existing(trials)
    assert not folder.path.exists()
