"""Ray Tune adapters: a searcher, a scheduler and a trainable that delegate to the trial controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray import tune
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, WorkerCrashedError
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from hpo.search.controller import TrialController
from hpo.search.trial import State
from hpo.search.worker import TrialFunction
from hpo.training.measurement import Measurement
from hpo.training.task import WorkerDied

_WORKER_FAILURES = (RayActorError, NodeDiedError, OutOfMemoryError, WorkerCrashedError)
"""Ray errors for a worker process that died, as opposed to an exception in the trial."""


class _Stateless:
    """Keeps its state out of Ray's pickles; a study is restored from its journal."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class RayTuneSearcher(_Stateless, Searcher):
    """Passes the controller's trials to Ray Tune, each only when a worker is free.

    A trial proposed earlier would miss the measurements of trials that are still running.
    """

    def __init__(self, controller: TrialController, workers: int) -> None:
        super().__init__()
        self._controller = controller
        self._workers = workers
        self._running: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial's worker config, None if there is none now, or FINISHED at the end."""
        if len(self._running) >= self._workers:
            return None
        trial = self._controller.next_trial()
        if trial is None:
            return str(Searcher.FINISHED) if self._controller.no_trials_left(len(self._running)) else None
        self._running.add(trial_id)
        return trial.worker_config()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record that a worker is free."""
        self._running.discard(trial_id)

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing; see `_Stateless`."""


class RayTuneScheduler(_Stateless, FIFOScheduler):
    """Passes results and ends of trials to the controller, and returns its decisions to Ray Tune."""

    def __init__(self, controller: TrialController) -> None:
        super().__init__()
        self._controller = controller

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        """Record a measurement, the error of a failed trial, or the failure of one of its processes."""
        number = trial.config["number"]
        if reason := result.get("failure"):
            self._controller.on_trial_end(number, State.FAILED, reason)
            return str(TrialScheduler.STOP)
        if reason := result.get("lost"):
            self._controller.on_worker_failure(number, reason)
            return str(TrialScheduler.STOP)
        continues = self._controller.on_result(number, result["measurement"])
        return str(TrialScheduler.CONTINUE if continues else TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> None:
        """Record that a trial ran to its last epoch; a stopped trial has ended already."""
        if "lost" not in result:  # the trial will be resumed
            self._controller.on_trial_end(trial.config["number"], State.COMPLETE)
        _clear_metric_windows(trial)

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        """Record that a trial's process died, or that its CUDA context is unusable."""
        error = trial.get_pickled_error()
        last = (str(error).strip() or "its worker died").splitlines()[-1] if error else "its worker died"
        if error is None or isinstance(error, _WORKER_FAILURES):
            self._controller.on_worker_failure(trial.config["number"], last)
        else:
            self._controller.on_trial_end(trial.config["number"], State.FAILED, last)


def _clear_metric_windows(trial: RayTrial) -> None:
    """Delete Ray's sliding windows over all metrics: 40 kB per trial, never read here."""
    for name in ("metric_analysis", "metric_n_steps"):
        getattr(trial.run_metadata, name, {}).clear()


def trainable(run_trial: TrialFunction) -> Callable[[dict[str, Any]], None]:
    """Return a Ray trainable that reports measurements, and failures as results.

    Exceptions are caught because Ray would replace the worker, whose libraries are already imported.
    """

    def run(config: dict[str, Any]) -> None:
        def report(measurement: Measurement) -> bool:
            tune.report({"measurement": measurement})
            return True  # Ray ends a stopped trial's thread inside tune.report

        try:
            run_trial(config, report)
        except Exception as error:
            if "CUDA error" in str(error):
                raise  # the process cannot use its GPU any more, so Ray must replace it
            lost = isinstance(error, WorkerDied)
            tune.report(
                {"lost": str(error)} if lost else {"failure": f"{type(error).__name__}: {error}".strip()}
            )

    return run
