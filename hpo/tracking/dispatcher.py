"""The trackers of a running study, each in a thread of its own, so that none can hold a trial up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from queue import SimpleQueue
from threading import Thread

from hpo.config.study import Study
from hpo.config.trackers import take_apart
from hpo.errors import StudyInterrupted
from hpo.evaluation.matrix import MatrixRow
from hpo.search.trial import Trial
from hpo.storage.study_folder import StudyFolder
from hpo.tracking.base import Ground, Tracker, TrialReport

Tell = Callable[[str], object]
"""Told in a line of a tracker that is left out."""
Deed = Callable[[Tracker], object]

CLOSE_S = 60.0
"""How long the end of a study waits for a tracker to write out what it has left."""
_CLASSES = {
    "tensorboard": "hpo.tracking.tensorboard_events:TensorBoardEvents",
    "mlflow": "hpo.tracking.mlflow_runs:MlflowRuns",
    "wandb": "hpo.tracking.wandb_runs:WandbRuns",
}


@contextmanager
def tracked(study: Study, folder: StudyFolder, tell: Tell) -> Iterator[Tracking]:
    """Have a study's trackers at hand while the block runs."""
    threads = []
    for tracker in study.trackers:
        name, target = take_apart(tracker)
        threads.append(_TrackerThread(name, Ground(study, folder, target), tell))
    tracking = Tracking(threads)
    state = "failed"
    try:
        yield tracking
        state = "done"
    except (StudyInterrupted, KeyboardInterrupt):
        state = "interrupted"
        raise
    finally:
        tracking.close(state)


class Tracking:
    """All trackers of a study; what it is told returns at once."""

    def __init__(self, threads: Iterable[_TrackerThread]) -> None:
        self._threads = list(threads)

    def catch_up(self, trials: Iterable[Trial]) -> None:
        """Tell the trackers of trials that were there before."""
        for trial in trials:
            self.hear(trial)

    def hear(self, trial: Trial) -> None:
        """Tell the trackers of a trial that has changed."""
        if self._threads:
            report = TrialReport.of(trial)
            self._do(lambda tracker: tracker.hear(report))

    def score(self, row: MatrixRow) -> None:
        """Tell the trackers of the study's final scores."""
        scores = {
            f"{split}/{variant}": f1
            for split, by_variant in row.scores.items()
            for variant in by_variant
            if (f1 := row.f1(split, variant)) is not None
        }
        self._do(lambda tracker: tracker.score(scores))

    def close(self, state: str) -> None:
        """Wait until the trackers have written all down, or too long."""
        self._do(lambda tracker: tracker.close(state))
        for thread in self._threads:
            thread.end()

    def _do(self, deed: Deed) -> None:
        for thread in self._threads:
            thread.put(deed)


class _TrackerThread(Thread):
    """Does what one tracker is to do, one thing after the other, until one fails."""

    def __init__(self, name: str, ground: Ground, tell: Tell) -> None:
        super().__init__(name=f"tracker {name}", daemon=True)
        self._ground = ground
        self._tell = tell
        self._deeds: SimpleQueue[Deed | None] = SimpleQueue()
        self._dropped = False
        self._place, _, self._class = _CLASSES[name].partition(":")
        self.start()

    def put(self, deed: Deed) -> None:
        if not self._dropped:
            self._deeds.put(deed)

    def end(self) -> None:
        self._deeds.put(None)
        self.join(CLOSE_S)
        if self.is_alive():
            self._drop(f"is not done after {CLOSE_S:g} s")

    def run(self) -> None:
        try:
            tracker: Tracker | None = None
            while (deed := self._deeds.get()) is not None:
                # Its library is imported with the first thing that there is to tell.
                tracker = tracker or getattr(import_module(self._place), self._class)(self._ground)
                deed(tracker)
        except BaseException as error:  # whatever a foreign library raises, the search goes on
            said = (str(error).strip() or "no message").split("\n", 1)[0]
            self._drop(f"{type(error).__name__}: {said}")

    def _drop(self, reason: str) -> None:
        if not self._dropped:
            self._dropped = True
            self._tell(f"{self.name} failed and is left out; the search goes on: {reason}")
