"""TensorBoard: event files under the study's folder, a run per trial."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from hpo.search.trial import State
from hpo.tracking.base import (
    Ground,
    TrialReport,
    hyperparameter_metrics,
    metrics_of,
)

BEST = "best/dev_f1"


class TensorBoardEvents:
    """Writes with tensorboardX, which is there with Ray and needs no TensorBoard.

    A trial's files are written anew when a study is taken up, from its measurements, so that what a
    killed driver left behind is neither half a file nor a point that stands twice.
    """

    def __init__(self, ground: Ground) -> None:
        self._place = ground.folder.tensorboard
        self._writers: dict[int, SummaryWriter] = {}
        self._written: dict[int, int] = {}

    def hear(self, report: TrialReport) -> None:
        """Append the trial's new measurements, and its best one when it has ended."""
        writer = self._writer(report)
        begun = min(self._written[report.number], len(report.measurements))
        for measurement in report.measurements[begun:]:
            for name, value in (
                metrics_of(measurement) | hyperparameter_metrics(report, measurement)
            ).items():
                writer.add_scalar(name, value, measurement.step)
        self._written[report.number] = len(report.measurements)
        if not report.is_open:
            if report.best is not None:
                writer.add_scalar(BEST, report.best.f1, report.best.step)
            writer.file_writer.add_summary(_hparams(report)[2])
        writer.flush()
        if report.state != State.RUNNING:
            self._writers.pop(report.number).close()

    def _writer(self, report: TrialReport) -> SummaryWriter:
        folder = self._place / f"trial-{report.number:04}"
        fresh = report.number not in self._written
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
            self._written[report.number] = 0
        if report.number not in self._writers:
            # The name of an event file is made of the second in which it is begun.
            suffix = f".{self._written[report.number]}"
            writer = self._writers[report.number] = SummaryWriter(str(folder), filename_suffix=suffix)
            for summary in _hparams(report)[:2] if fresh else ():
                writer.file_writer.add_summary(summary)
        return self._writers[report.number]

    def score(self, scores: Mapping[str, float]) -> None:
        """Write the final scores as a run of their own."""
        folder = self._place / "scores"
        shutil.rmtree(folder, ignore_errors=True)
        with SummaryWriter(str(folder)) as writer:
            for name, value in scores.items():
                writer.add_scalar(name, value, 0)

    def close(self, state: str) -> None:
        """Close the files of trials that have not ended."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def _hparams(report: TrialReport) -> tuple[object, object, object]:
    """What the tab HPARAMS reads: the parameters and the metric, the start of a session, its end."""
    params = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in report.params.items()
    }
    experiment, start, end = hparams(params, {BEST: 0.0})
    return experiment, start, end
