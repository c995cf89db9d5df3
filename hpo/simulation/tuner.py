"""Simulated search: the real trial controller in simulated time, with learning curves instead of training.

No process is started and no clock is read, so a search of fifty trials takes about a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.checkpoint_store import temporary_folder
from hpo.search.controller import TrialController
from hpo.search.trial import State, Trial
from hpo.storage.atomic import without_sync
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement

CurveFunction = Callable[[Params], Sequence[Measurement]]
"""Returns all measurements that a configuration would report if it were trained to its last epoch."""


class Tuner(Protocol):
    """Proposes trials and decides which continue: `TrialController`, or an adapter of another library."""

    def next_trial(self) -> Trial | None:
        """See `TrialController.next_trial`."""

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """See `TrialController.on_result`."""

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """See `TrialController.on_trial_end`."""


@dataclass(frozen=True)
class ProgressPoint:
    """The progress of a simulated search after a measurement.

    ``seconds`` is the simulated time since the start, ``epochs`` the total of all trials, ``f1`` the best
    F1 so far in [0, 1], and ``running`` the number of trials that ran in parallel.
    """

    seconds: float
    epochs: float
    f1: float
    running: int


def simulate(
    tuner: Tuner,
    curves: CurveFunction,
    workers: int,
    seconds_per_epoch: float | None = None,
    until: Callable[[ProgressPoint], bool] = lambda point: False,
) -> list[ProgressPoint]:
    """Run a search until the tuner has no more trials or ``until`` returns True, and return its progress.

    Up to ``workers`` trials run in parallel. A measurement takes the time of its curve, or
    ``seconds_per_epoch`` if given; simultaneous measurements arrive in the order in which they were
    scheduled. A trial whose parameters change continues on the curve of the new parameters at its current
    epoch, because a curve cannot tell what inherited weights are worth.
    """
    queue: list[tuple[float, int, int, int, Sequence[Measurement]]] = []
    progress: list[ProgressPoint] = []
    now = epochs = best = 0.0
    order = 0

    def schedule(number: int, index: int, curve: Sequence[Measurement]) -> None:
        nonlocal order
        order += 1
        heapq.heappush(queue, (now + _duration(curve, index, seconds_per_epoch), order, number, index, curve))

    while True:
        while len(queue) < workers and (trial := tuner.next_trial()) is not None:
            curve = curves(trial.params)
            # A resumed trial has reported the first part of its curve already.
            index = next((i for i, each in enumerate(curve) if each.epoch > trial.epochs), len(curve))
            if index < len(curve):
                schedule(trial.number, index, curve)
            else:
                _end_trial(tuner, trial.number, curve)
        if not queue:
            return progress
        running = len(queue)
        now, _, number, index, curve = heapq.heappop(queue)
        measurement = curve[index]
        epochs += measurement.epoch - (curve[index - 1].epoch if index else 0.0)
        best = max(best, measurement.f1)
        progress.append(ProgressPoint(now, epochs, best, running))
        continues = tuner.on_result(number, measurement)
        if continues and index + 1 < len(curve):
            schedule(number, index + 1, curve)
        elif continues:
            _end_trial(tuner, number, curve)
        if until(progress[-1]):
            return progress


def _duration(curve: Sequence[Measurement], index: int, seconds_per_epoch: float | None) -> float:
    """Return the seconds between a measurement of a curve and the one before it."""
    before = curve[index - 1] if index else None
    if seconds_per_epoch is not None:
        return (curve[index].epoch - (before.epoch if before else 0.0)) * seconds_per_epoch
    return max(0.0, curve[index].seconds - (before.seconds if before else 0.0))


def _end_trial(tuner: Tuner, number: int, curve: Sequence[Measurement]) -> None:
    complete = bool(curve) and all(math.isfinite(each.loss) for each in curve)
    tuner.on_trial_end(number, State.COMPLETE if complete else State.FAILED)


@contextmanager
def temporary_controller(study: Study) -> Iterator[TrialController]:
    """Create a controller whose journal is in a temporary folder and is never synced to disk."""
    with temporary_folder() as folder, without_sync():
        controller = TrialController(study, StudyFolder(study.name, Path(folder)))
        try:
            yield controller
        finally:
            controller.close()
