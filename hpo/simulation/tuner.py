"""A search in simulated time: the very same controller, with curves in the place of training runs.

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

Curves = Callable[[Params], Sequence[Measurement]]
"""What a configuration would measure, evaluation by evaluation, if it were trained to its last epoch."""


class Tuner(Protocol):
    """Whoever proposes trials and decides on them: the controller, or another library in its place."""

    def next_trial(self) -> Trial | None:
        """As `TrialController.next_trial`."""

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """As `TrialController.on_result`."""

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """As `TrialController.on_trial_end`."""


@dataclass(frozen=True)
class ProgressPoint:
    """The state of a simulated search after a measurement.

    ``seconds`` of simulated time since its start, ``epochs`` trained by all trials together, ``f1`` the
    best measured so far in [0, 1], ``running`` trials side by side up to here.
    """

    seconds: float
    epochs: float
    f1: float
    running: int


def simulate(
    head: Tuner,
    curves: Curves,
    workers: int,
    seconds_per_epoch: float | None = None,
    until: Callable[[ProgressPoint], bool] = lambda moment: False,
) -> list[ProgressPoint]:
    """Run a search to its end, or until ``until`` says so, and return its moments in order.

    A trial's measurements arrive one after the other, ``workers`` trials side by side; each takes the
    time that its curve says, or ``seconds_per_epoch`` where given. Measurements that arrive at the same
    time are heard in the order in which they were begun. A trial that goes on with other parameters
    goes on along their curve from the epoch that it had reached: what inherited weights are worth, a
    curve cannot tell.
    """
    queue: list[tuple[float, int, int, int, Sequence[Measurement]]] = []
    moments: list[ProgressPoint] = []
    now = epochs = best = 0.0
    order = 0

    def expect(number: int, place: int, curve: Sequence[Measurement]) -> None:
        nonlocal order
        order += 1
        heapq.heappush(queue, (now + _wait(curve, place, seconds_per_epoch), order, number, place, curve))

    while True:
        while len(queue) < workers and (trial := head.next_trial()) is not None:
            curve = curves(trial.params)
            # A trial that goes on has its measurements up to there already.
            place = next((i for i, each in enumerate(curve) if each.epoch > trial.epochs), len(curve))
            if place < len(curve):
                expect(trial.number, place, curve)
            else:
                _end(head, trial.number, curve)
        if not queue:
            return moments
        running = len(queue)
        now, _, number, place, curve = heapq.heappop(queue)
        measurement = curve[place]
        epochs += measurement.epoch - (curve[place - 1].epoch if place else 0.0)
        best = max(best, measurement.f1)
        moments.append(ProgressPoint(now, epochs, best, running))
        continues = head.on_result(number, measurement)
        if continues and place + 1 < len(curve):
            expect(number, place + 1, curve)
        elif continues:
            _end(head, number, curve)
        if until(moments[-1]):
            return moments


def _wait(curve: Sequence[Measurement], place: int, seconds_per_epoch: float | None) -> float:
    before = curve[place - 1] if place else None
    if seconds_per_epoch is not None:
        return (curve[place].epoch - (before.epoch if before else 0.0)) * seconds_per_epoch
    return max(0.0, curve[place].seconds - (before.seconds if before else 0.0))


def _end(head: Tuner, number: int, curve: Sequence[Measurement]) -> None:
    whole = bool(curve) and all(math.isfinite(each.loss) for each in curve)
    head.on_trial_end(number, State.COMPLETE if whole else State.FAILED)


@contextmanager
def temporary_controller(study: Study) -> Iterator[TrialController]:
    """A controller whose journal stands in a temporary folder and is not waited for."""
    with temporary_folder() as folder, without_sync():
        controller = TrialController(study, StudyFolder(study.name, Path(folder)))
        try:
            yield controller
        finally:
            controller.close()
