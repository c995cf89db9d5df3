"""Dispatch of a study's events to its trackers, each in its own thread so that none delays a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from queue import SimpleQueue
from threading import Thread

from hpo.config.study import Study
from hpo.config.trackers import parse_tracker
from hpo.errors import StudyInterrupted
from hpo.evaluation.matrix import MatrixRow
from hpo.search.trial import Trial
from hpo.storage.study_folder import StudyFolder
from hpo.tracking.base import Tracker, TrackerContext, TrialReport

Warn = Callable[[str], object]
"""Receives one line about each tracker that is disabled."""
Event = Callable[[Tracker], object]
"""Calls one method of a tracker."""

CLOSE_TIMEOUT_S = 60.0
"""How long the end of a study waits for a tracker to flush its data."""
TRACKER_CLASSES = {
    "tensorboard": "hpo.tracking.tensorboard_events:TensorBoardEvents",
    "mlflow": "hpo.tracking.mlflow_runs:MlflowRuns",
    "wandb": "hpo.tracking.wandb_runs:WandbRuns",
}


@contextmanager
def start_trackers(study: Study, folder: StudyFolder, warn: Warn) -> Iterator[TrackerDispatcher]:
    """Run a study's trackers while the block runs, and close them with the block's outcome."""
    threads = []
    for tracker in study.trackers:
        name, target = parse_tracker(tracker)
        threads.append(_TrackerThread(name, TrackerContext(study, folder, target), warn))
    dispatcher = TrackerDispatcher(threads)
    state = "failed"
    try:
        yield dispatcher
        state = "done"
    except (StudyInterrupted, KeyboardInterrupt):
        state = "interrupted"
        raise
    finally:
        dispatcher.close(state)


class TrackerDispatcher:
    """Forwards events to all trackers of a study; every method but `close` returns at once."""

    def __init__(self, threads: Iterable[_TrackerThread]) -> None:
        self._threads = list(threads)

    def report_existing(self, trials: Iterable[Trial]) -> None:
        """Report the trials of a resumed study."""
        for trial in trials:
            self.on_trial_update(trial)

    def on_trial_update(self, trial: Trial) -> None:
        """Report a trial that has changed."""
        if self._threads:
            report = TrialReport.of(trial)
            self._dispatch(lambda tracker: tracker.on_trial_update(report))

    def on_scores(self, row: MatrixRow) -> None:
        """Report the study's final scores."""
        scores = {
            f"{split}/{variant}": f1
            for split, by_variant in row.scores.items()
            for variant in by_variant
            if (f1 := row.f1(split, variant)) is not None
        }
        self._dispatch(lambda tracker: tracker.on_scores(scores))

    def close(self, state: str) -> None:
        """Close the trackers, and wait up to `CLOSE_TIMEOUT_S` for each."""
        self._dispatch(lambda tracker: tracker.close(state))
        for thread in self._threads:
            thread.close()

    def _dispatch(self, event: Event) -> None:
        for thread in self._threads:
            thread.put(event)


class _TrackerThread(Thread):
    """Handles one tracker's events in order, until one raises."""

    def __init__(self, name: str, context: TrackerContext, warn: Warn) -> None:
        super().__init__(name=f"tracker {name}", daemon=True)
        self._context = context
        self._warn = warn
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._disabled = False
        self._module, _, self._class = TRACKER_CLASSES[name].partition(":")
        self.start()

    def put(self, event: Event) -> None:
        if not self._disabled:
            self._events.put(event)

    def close(self) -> None:
        self._events.put(None)
        self.join(CLOSE_TIMEOUT_S)
        if self.is_alive():
            self._disable(f"did not finish within {CLOSE_TIMEOUT_S:g} s")

    def run(self) -> None:
        try:
            tracker: Tracker | None = None
            while (event := self._events.get()) is not None:
                # Imported on the first event, in this thread, so that a slow library delays nothing else.
                tracker = tracker or getattr(import_module(self._module), self._class)(self._context)
                event(tracker)
        except BaseException as error:  # the search continues whatever a foreign library raises
            message = (str(error).strip() or "no message").split("\n", 1)[0]
            self._disable(f"{type(error).__name__}: {message}")

    def _disable(self, reason: str) -> None:
        if not self._disabled:
            self._disabled = True
            self._warn(f"{self.name} failed and is disabled; the search continues: {reason}")
