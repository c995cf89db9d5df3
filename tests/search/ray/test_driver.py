"""Tests of the Ray Tune driver: resource planning, and searches on real Ray workers."""

import os
import signal
import threading
import time

import pytest

from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.search.controller import MAX_WORKER_FAILURES, TrialController
from hpo.search.ray.driver import Resources, plan_cluster, plan_resources, run_search, worker_environment
from hpo.search.trial import State, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
    "fixed": {"epochs": 4},
}


def measure(epoch, f1, loss=0.5):
    return Measurement(
        epoch=epoch, step=int(epoch), f1=f1, precision=f1, recall=f1, loss=loss, train_loss=loss, seconds=0.0
    )


def run_study(tmp_path, run_trial, trials, workers=2, **settings):
    study = build_study({"name": "s", "space": SPACE, "trials": trials, **settings})
    folder = StudyFolder("s", tmp_path / "results")
    controller = TrialController(study, folder)
    try:
        run_search(controller, run_trial, Resources(workers=workers, threads=1, gpus=0.0))
    finally:
        controller.close()
    return controller, folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A search whose trials finish, are stopped, raise, and lose their worker."""
    folder = tmp_path_factory.mktemp("mixed")
    died = folder / "died"

    def run_trial(trial, report):
        number = trial["number"]
        if number == 1:
            raise RuntimeError("CUDA out of memory (as if)")
        if number == 2 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for epoch in range(1, 5):
            report(measure(float(epoch), 0.9 / (number + 1), loss=os.getpid()))

    return run_study(folder, run_trial, trials=9)


@pytest.mark.slow
def test_run_search_with_a_raising_trial_records_its_error(mixed):
    controller, _ = mixed
    assert controller.trials[1].state == State.FAILED
    assert controller.trials[1].reason == "RuntimeError: CUDA out of memory (as if)"


@pytest.mark.slow
def test_run_search_after_a_worker_failure_resumes_the_trial(mixed):
    controller, _ = mixed
    assert controller.trials[2].failures == 1
    assert controller.trials[2].state == State.STOPPED
    assert [each.f1 for each in controller.trials[2].measurements] == [0.3]
    assert [trial.number for trial in controller.trials] == list(range(9))


@pytest.mark.slow
def test_run_search_with_repeated_worker_failures_fails_the_trial(tmp_path):
    def run_trial(trial, report):
        if trial["number"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        report(measure(1.0, 0.5))

    controller, _ = run_study(tmp_path, run_trial, trials=2, workers=1)
    assert [trial.state for trial in controller.trials] == [State.FAILED, State.COMPLETE]
    assert controller.trials[0].failures == MAX_WORKER_FAILURES
    assert "3 times before" in controller.trials[0].reason


@pytest.mark.slow
def test_run_search_after_failures_stops_worse_trials(mixed):
    controller, _ = mixed
    states = [trial.state for trial in controller.trials]
    assert states[0] == State.COMPLETE
    assert State.RUNNING not in states
    assert states[4:] == [State.STOPPED] * 5
    assert [trial.epochs for trial in controller.trials[4:]] == [1.0] * 5


@pytest.mark.slow
def test_run_search_reuses_worker_processes(mixed):
    controller, _ = mixed
    pids = {each.loss for trial in controller.trials[3:] for each in trial.measurements}
    assert len(pids) <= 3, "seven trials after the one death ran in two processes, and one that took over"


@pytest.mark.slow
def test_run_search_leaves_one_journal_line_per_trial(mixed):
    controller, folder = mixed
    lines = list(read_lines(folder.trials))
    assert [line["trial"] for line in lines] == list(range(9))
    assert read_trials(lines) == controller.trials


@pytest.mark.slow
def test_run_search_interrupted_resumes_running_trials_next_time(tmp_path):
    def run_trial(trial, report):
        for epoch in range(1, 5):
            report(measure(float(epoch), 0.5))
            if trial["number"] > 1:
                time.sleep(60)

    def interrupt():
        journal = tmp_path / "results" / "s" / "trials.jsonl"
        while not journal.exists() or '"trial":3' not in journal.read_text():
            time.sleep(0.1)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    controller, folder = run_study(tmp_path, run_trial, trials=6, algorithm="random")
    assert not controller.finished
    left = read_trials(read_lines(folder.trials))
    assert [trial.state for trial in left] == [State.COMPLETE] * 2 + [State.RUNNING] * 2

    def finish(trial, report):
        for epoch in range(1, 5):
            report(measure(float(epoch), 0.6))

    again, _ = run_study(tmp_path, finish, trials=6, algorithm="random")
    assert again.finished
    assert [trial.best.f1 for trial in again.trials] == [0.5, 0.5, 0.6, 0.6, 0.6, 0.6]
    assert [trial.params for trial in again.trials[:4]] == [trial.params for trial in left]


@pytest.mark.parametrize(
    "workers, share, cores, gpus, expected",
    [
        (None, 1, 2, 0, Resources(2, 1, 0.0)),
        (1, 1, 8, 0, Resources(1, 8, 0.0)),
        (None, 1, 16, 4, Resources(4, 4, 1)),
        (None, 0.25, 16, 2, Resources(8, 2, 0.25)),
        (None, 4, 16, 8, Resources(2, 8, 4)),
        (None, 3, 16, 8, Resources(2, 8, 3)),  # two GPUs are left over
        (5, 4, 16, 4, Resources(1, 16, 4)),
        (None, 4, 2, 0, Resources(2, 1, 0.0)),  # a cluster study runs on a laptop
        (None, 0, 16, 4, Resources(16, 1, 0.0)),
        (3, 0.5, 2, 1, Resources(2, 1, 0.5)),  # more would wait for a GPU, with a trial proposed too early
    ],
)
def test_plan_resources_never_oversubscribes(workers, share, cores, gpus, expected):
    assert plan_resources(workers, share, cores, gpus) == expected


@pytest.mark.parametrize(
    "workers, share, nodes, expected",
    [
        (None, 1, [(16, 4), (16, 4)], Resources(8, 4, 1)),
        (None, 0.5, [(16, 4), (8, 2)], Resources(12, 2, 0.5)),
        (None, 1, [(1, 0), (1, 0)], Resources(2, 1, 0.0)),
        (2, 1, [(16, 0), (16, 0)], Resources(2, 16, 0.0)),
        (3, 1, [(16, 0), (16, 0)], Resources(3, 8, 0.0)),  # two on one machine, eight threads each
        (99, 1, [(16, 4), (16, 4)], Resources(8, 4, 1)),
        (None, 4, [(16, 4), (16, 4), (16, 2)], Resources(2, 16, 4)),
        (None, 2, [(16, 5), (8, 2)], Resources(3, 8, 2)),
        (None, 0, [(4, 4), (4, 4)], Resources(8, 1, 0.0)),
        (None, 1, [(4, 0), (4, 2)], Resources(2, 2, 1)),  # no trial runs on the machine without GPU
        (None, 0.25, [(2, 1), (2, 1)], Resources(4, 1, 0.25)),  # every trial needs a core
    ],
)
def test_plan_cluster_places_each_trial_on_one_machine(workers, share, nodes, expected):
    assert plan_cluster(workers, share, nodes) == expected


def test_plan_resources_with_too_many_gpus_per_trial_raises():
    with pytest.raises(UserError) as here:
        plan_resources(None, 4, 16, 2)
    message = "gpus_per_trial: exceeds the GPUs of one machine, and a trial must fit on one machine"
    assert str(here.value) == f"{message} (got 4; this machine has 2; use at most 2)"
    with pytest.raises(UserError) as there:
        plan_cluster(None, 4, [(16, 3), (16, 0), (8, 2)])
    assert str(there.value) == f"{message} (got 4; the 3 nodes of the cluster have 3, 0, 2; use at most 3)"


@pytest.mark.parametrize("gpus, processes", [(0.0, 1), (0.25, 1), (1, 1), (4, 4), (4.0, 4)])
def test_resources_processes_is_one_per_gpu(gpus, processes):
    assert Resources(1, 8, gpus).processes == processes


@pytest.mark.parametrize("gpus, seen", [(0.0, ""), (0.25, None), (2, None)])
def test_worker_environment_without_gpu_hides_all_gpus(gpus, seen):
    assert worker_environment(Resources(1, 1, gpus)).get("CUDA_VISIBLE_DEVICES") == seen


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_run_search_on_a_batch_system_signal_stops_like_an_interrupt(tmp_path, number):
    def run_trial(trial, report):
        report(measure(1.0, 0.5))
        time.sleep(60)

    def send_signal():
        journal = tmp_path / "results" / "s" / "trials.jsonl"
        while not journal.exists() or "measurements" not in journal.read_text():
            time.sleep(0.1)
        os.kill(os.getpid(), number)

    threading.Thread(target=send_signal, daemon=True).start()
    controller, folder = run_study(tmp_path, run_trial, trials=3, workers=1, algorithm="random")
    assert not controller.finished
    assert [trial.state for trial in read_trials(read_lines(folder.trials))] == [State.RUNNING]
