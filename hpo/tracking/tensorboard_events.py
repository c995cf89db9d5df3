"""TensorBoard: event files under the study's folder, one run per trial."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from hpo.search.trial import State
from hpo.tracking.base import BEST_F1, TrackerContext, TrialReport, metrics_at


class TensorBoardEvents:
    """Writes with tensorboardX, a dependency of Ray that works without TensorBoard.

    When a study resumes, each trial's files are rewritten from its measurements, so that files truncated
    by a killed driver and duplicate points cannot remain.
    """

    def __init__(self, context: TrackerContext) -> None:
        self._root = context.folder.tensorboard
        self._writers: dict[int, SummaryWriter] = {}
        self._written: dict[int, int] = {}

    def on_trial_update(self, report: TrialReport) -> None:
        """Append the trial's new measurements, and its best one when the trial has ended."""
        writer = self._writer(report)
        written = min(self._written[report.number], len(report.measurements))
        for measurement in report.measurements[written:]:
            for name, value in metrics_at(report, measurement).items():
                writer.add_scalar(name, value, measurement.step)
        self._written[report.number] = len(report.measurements)
        if not report.is_open:
            if report.best is not None:
                writer.add_scalar(BEST_F1, report.best.f1, report.best.step)
            writer.file_writer.add_summary(_hparams(report)[2])
        writer.flush()
        if report.state != State.RUNNING:
            self._writers.pop(report.number).close()

    def _writer(self, report: TrialReport) -> SummaryWriter:
        folder = self._root / f"trial-{report.number:04}"
        fresh = report.number not in self._written
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
            self._written[report.number] = 0
        if report.number not in self._writers:
            # Event files are named by the second of their creation; the suffix keeps the names distinct.
            suffix = f".{self._written[report.number]}"
            writer = self._writers[report.number] = SummaryWriter(str(folder), filename_suffix=suffix)
            for summary in _hparams(report)[:2] if fresh else ():
                writer.file_writer.add_summary(summary)
        return self._writers[report.number]

    def on_scores(self, scores: Mapping[str, float]) -> None:
        """Write the final scores as a separate run."""
        folder = self._root / "scores"
        shutil.rmtree(folder, ignore_errors=True)
        with SummaryWriter(str(folder)) as writer:
            for name, value in scores.items():
                writer.add_scalar(name, value, 0)

    def close(self, state: str) -> None:
        """Close the files of unfinished trials."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def _hparams(report: TrialReport) -> tuple[object, object, object]:
    """Return the summaries that the HPARAMS tab reads: experiment, session start, session end."""
    params = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in report.params.items()
    }
    experiment, start, end = hparams(params, {BEST_F1: 0.0})
    return experiment, start, end
