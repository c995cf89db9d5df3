"""Tests of the Ray Tune adapters with a real controller, without starting Ray."""

from types import SimpleNamespace

import pytest
from ray.exceptions import WorkerCrashedError
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.ray.adapters import RayTuneScheduler, RayTuneSearcher
from hpo.search.trial import State
from hpo.storage.study_folder import StudyFolder

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
    "fixed": {"epochs": 4},
}


@pytest.fixture
def controller(tmp_path):
    study = build_study({"name": "s", "space": SPACE, "trials": 2, "algorithm": "random"})
    return TrialController(study, StudyFolder("s", tmp_path))


def ray_trial(number, error=None):
    return SimpleNamespace(
        config={"number": number}, run_metadata=SimpleNamespace(), get_pickled_error=lambda: error
    )


def test_searcher_suggests_only_for_free_workers_and_finishes_at_the_end(controller):
    searcher = RayTuneSearcher(controller, workers=1)
    assert searcher.suggest("a")["number"] == 0
    assert searcher.suggest("b") is None
    controller.on_trial_end(0, State.COMPLETE)
    searcher.on_trial_complete("a")
    assert searcher.suggest("b")["number"] == 1
    controller.on_trial_end(1, State.COMPLETE)
    searcher.on_trial_complete("b")
    assert searcher.suggest("c") == Searcher.FINISHED


def test_scheduler_passes_results_and_failures_to_the_controller(controller, measure):
    scheduler = RayTuneScheduler(controller)
    controller.next_trial()
    controller.next_trial()
    result = {"measurement": measure(1, 0.5)}
    assert scheduler.on_trial_result(None, ray_trial(0), result) == TrialScheduler.CONTINUE
    assert scheduler.on_trial_result(None, ray_trial(0), {"lost": "process died"}) == TrialScheduler.STOP
    scheduler.on_trial_complete(None, ray_trial(0), {"lost": "process died"})
    assert (controller.trials[0].state, controller.trials[0].failures) == (State.RUNNING, 1)
    assert scheduler.on_trial_result(None, ray_trial(1), {"failure": "ValueError"}) == TrialScheduler.STOP
    assert (controller.trials[1].state, controller.trials[1].reason) == (State.FAILED, "ValueError")
    scheduler.on_trial_complete(None, ray_trial(0), {})
    assert controller.trials[0].state == State.COMPLETE


def test_scheduler_on_trial_error_resumes_after_a_worker_failure_and_fails_after_an_exception(controller):
    scheduler = RayTuneScheduler(controller)
    controller.next_trial()
    scheduler.on_trial_error(None, ray_trial(0, WorkerCrashedError()))
    assert (controller.trials[0].state, controller.trials[0].failures) == (State.RUNNING, 1)
    scheduler.on_trial_error(None, ray_trial(0, RuntimeError("first\nCUDA error")))
    assert (controller.trials[0].state, controller.trials[0].reason) == (State.FAILED, "CUDA error")
