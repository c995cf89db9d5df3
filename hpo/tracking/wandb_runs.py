"""Weights & Biases: a run per trial, grouped by study, on the disk alone unless an account is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import wandb

from hpo.search.trial import State
from hpo.storage.atomic import read_json, write_json
from hpo.tracking.base import (
    Ground,
    TrialReport,
    hyperparameter_metrics,
    metrics_of,
)

PROJECT = "hpo-ner"
"""Where neither the study nor WANDB_PROJECT names another one."""
ENDED = -1


class WandbRuns:
    """Writes under the study's folder, and sends it on where WANDB_MODE or WANDB_API_KEY has it so.

    What a run was told up to which step is kept beside the runs, since one that was written offline
    cannot be asked; ``wandb sync results/STUDY/wandb/offline-run-*`` sends it later, parts of one trial
    into one run.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._id = ground.id
        self._project = ground.target or os.environ.get("WANDB_PROJECT") or PROJECT
        self._mode = os.environ.get("WANDB_MODE") or (
            "online" if os.environ.get("WANDB_API_KEY") else "offline"
        )
        self._told_file = ground.folder.wandb / "told.json"
        self._told: dict[str, int] = read_json(self._told_file) if self._told_file.exists() else {}
        self._runs: dict[str, Any] = {}

    def hear(self, report: TrialReport) -> None:
        """Log the measurements that the trial's run does not have yet, and its end."""
        number = str(report.number)
        last = self._told.get(number, 0)
        if last == ENDED:
            return
        run = self._runs.get(number)
        if run is None:
            run = self._runs[number] = self._start(
                number, f"{self._ground.study.name} trial {number}", report.params | {"seed": report.seed}
            )
        fresh = [each for each in report.measurements if each.step > last]
        for each in fresh:
            run.log(metrics_of(each) | hyperparameter_metrics(report, each), step=each.step)
        if not report.is_open:
            best = {} if report.best is None else {"best/dev_f1": report.best.f1}
            run.summary.update(best | {"state": report.state.value, "reason": report.reason})
            self._runs.pop(number).finish(exit_code=int(report.state == State.FAILED))
        told = ENDED if not report.is_open else fresh[-1].step if fresh else last
        if told != self._told.get(number):
            self._told[number] = told
            write_json(self._told_file, self._told)

    def _start(self, number: str, name: str, config: Mapping[str, Any]) -> Any:
        place = self._ground.folder.path.resolve()
        return wandb.init(
            project=self._project,
            group=self._ground.study.name,
            job_type="study" if number == "study" else "trial",
            id=f"{self._id}-{number}",
            name=name,
            dir=str(place),
            config=dict(config) | {"study": self._ground.settings},
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                mode=self._mode,
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,  # of this machine, on which the trials need not run
            ),
        )

    def score(self, scores: Mapping[str, float]) -> None:
        """Log the final scores as the summary of a run of the study's own."""
        run = self._start("study", self._ground.study.name, {})
        run.summary.update(dict(scores))
        run.finish()

    def close(self, state: str) -> None:
        """End the runs of trials that are cut off with the study; they go on with it."""
        for run in self._runs.values():
            run.finish(exit_code=int(state == "failed"))
        self._runs.clear()
