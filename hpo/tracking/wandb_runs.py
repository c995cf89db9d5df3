"""Weights & Biases: one run per trial, grouped by study, offline unless an account is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import wandb

from hpo.search.trial import State
from hpo.storage.atomic import read_json, write_json
from hpo.tracking.base import BEST_F1, TrackerContext, TrialReport, metrics_at

PROJECT = "hpo-ner"
"""Default project, unless the study or WANDB_PROJECT names one."""
ENDED = -1
"""Logged step of a trial whose run is finished."""


class WandbRuns:
    """Writes runs under the study's folder; uploads them if WANDB_MODE or WANDB_API_KEY asks for it.

    The last logged step of each run is stored beside the runs, because offline runs cannot be queried.
    ``wandb sync results/STUDY/wandb/offline-run-*`` uploads them later and merges the parts of a trial into
    one run.
    """

    def __init__(self, context: TrackerContext) -> None:
        self._context = context
        self._id = context.id
        self._project = context.target or os.environ.get("WANDB_PROJECT") or PROJECT
        self._mode = os.environ.get("WANDB_MODE") or (
            "online" if os.environ.get("WANDB_API_KEY") else "offline"
        )
        self._steps_file = context.folder.wandb / "told.json"
        self._logged_steps: dict[str, int] = read_json(self._steps_file) if self._steps_file.exists() else {}
        self._runs: dict[str, Any] = {}

    def on_trial_update(self, report: TrialReport) -> None:
        """Log the trial's new measurements, and finish its run when the trial has ended."""
        number = str(report.number)
        last = self._logged_steps.get(number, 0)
        if last == ENDED:
            return
        run = self._runs.get(number)
        if run is None:
            run = self._runs[number] = self._start(
                number, f"{self._context.study.name} trial {number}", report.params | {"seed": report.seed}
            )
        new = [each for each in report.measurements if each.step > last]
        for each in new:
            run.log(metrics_at(report, each), step=each.step)
        if not report.is_open:
            best = {} if report.best is None else {BEST_F1: report.best.f1}
            run.summary.update(best | {"state": report.state.value, "reason": report.reason})
            self._runs.pop(number).finish(exit_code=int(report.state == State.FAILED))
        logged = ENDED if not report.is_open else new[-1].step if new else last
        if logged != self._logged_steps.get(number):
            self._logged_steps[number] = logged
            write_json(self._steps_file, self._logged_steps)

    def _start(self, number: str, name: str, config: Mapping[str, Any]) -> Any:
        return wandb.init(
            project=self._project,
            group=self._context.study.name,
            job_type="study" if number == "study" else "trial",
            id=f"{self._id}-{number}",
            name=name,
            dir=str(self._context.folder.path.resolve()),
            config=dict(config) | {"study": self._context.settings},
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                mode=self._mode,
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,  # statistics of this machine, but trials may run elsewhere
            ),
        )

    def on_scores(self, scores: Mapping[str, float]) -> None:
        """Log the final scores as the summary of a separate run for the study."""
        run = self._start("study", self._context.study.name, {})
        run.summary.update(dict(scores))
        run.finish()

    def close(self, state: str) -> None:
        """Finish the runs of interrupted trials; a resumed study continues them."""
        for run in self._runs.values():
            run.finish(exit_code=int(state == "failed"))
        self._runs.clear()
