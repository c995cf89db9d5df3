"""What Ray Tune sees of a search: a searcher, a scheduler and a trainable that all ask the controller."""

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

_DIED = (RayActorError, NodeDiedError, OutOfMemoryError, WorkerCrashedError)
"""What Ray says of a worker that ended otherwise than by an exception."""


class _Unsaved:
    """Leaves its state out of the pickles that Ray writes; a study is taken up from its journal."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class RayTuneSearcher(_Unsaved, Searcher):
    """Hands out the controller's trials, never one ahead of a free worker.

    A trial proposed early would be proposed without the measurements of those still running.
    """

    def __init__(self, controller: TrialController, workers: int) -> None:
        super().__init__()
        self._controller = controller
        self._workers = workers
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial as a worker is told of it; None while there is nothing for a free worker."""
        if len(self._live) >= self._workers:
            return None
        trial = self._controller.next_trial()
        if trial is None:
            return str(Searcher.FINISHED) if self._controller.no_trials_left(len(self._live)) else None
        self._live.add(trial_id)
        return trial.worker_config()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Note that a worker is free."""
        self._live.discard(trial_id)

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing, as `_Unsaved` has it."""


class RayTuneScheduler(_Unsaved, FIFOScheduler):
    """Passes measurements and ends on to the controller, and its decisions back."""

    def __init__(self, controller: TrialController) -> None:
        super().__init__()
        self._controller = controller

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        """Take in a measurement, or the reason of a failure or a loss."""
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
        """Note that a trial ran to its last epoch; one that was stopped has ended already."""
        if "lost" not in result:  # of a trial that lost a process, which has not ended
            self._controller.on_trial_end(trial.config["number"], State.COMPLETE)
        _forget_windows(trial)

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        """Note that a trial's process died, or that the trial took its GPU down."""
        error = trial.get_pickled_error()
        last = (str(error).strip() or "its worker died").splitlines()[-1] if error else "its worker died"
        if error is None or isinstance(error, _DIED):
            self._controller.on_worker_failure(trial.config["number"], last)
        else:
            self._controller.on_trial_end(trial.config["number"], State.FAILED, last)


def _forget_windows(trial: RayTrial) -> None:
    """Drop Ray's sliding windows over each number of each result: 40 kB a trial, which nobody here reads."""
    for name in ("metric_analysis", "metric_n_steps"):
        getattr(trial.run_metadata, name, {}).clear()


def trainable(run_trial: TrialFunction) -> Callable[[dict[str, Any]], None]:
    """A Ray trainable that reports measurements, and failures as results.

    An exception that reached Ray would cost the warm worker.
    """

    def run(config: dict[str, Any]) -> None:
        def report(measurement: Measurement) -> bool:
            tune.report({"measurement": measurement})
            return True  # Ray ends a stopped trial's thread from within its report

        try:
            run_trial(config, report)
        except Exception as error:
            if "CUDA error" in str(error):
                raise  # the process cannot use its GPU any more; Ray starts another
            lost = isinstance(error, WorkerDied)
            tune.report(
                {"lost": str(error)} if lost else {"failure": f"{type(error).__name__}: {error}".strip()}
            )

    return run
