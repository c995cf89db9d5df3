"""MLflow: a parent run per study and a child run per trial, in a local store or on a server."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from hpo.search.trial import State
from hpo.tracking.base import BEST_F1, TrackerContext, TrialReport, metrics_at

EXPERIMENT = "hpo-ner"
"""Default experiment, unless MLFLOW_EXPERIMENT_NAME names one."""
STUDY = "study"
"""Key of the study's run among the runs of its trials, which are keyed by trial number."""
_END_STATUS = {"done": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_METRICS_PER_CALL = 500  # MLflow accepts at most 1000


class MlflowRuns:
    """Logs to MLflow; a resumed study finds its runs by their tags and continues them.

    The store is the target, else MLFLOW_TRACKING_URI, else ``results/mlflow.db``.
    """

    def __init__(self, context: TrackerContext) -> None:
        for name in ("mlflow", "alembic"):  # they log every table that they create
            logging.getLogger(name).setLevel(logging.ERROR)
        root = context.folder.path.resolve().parent
        local = f"sqlite:///{root / 'mlflow.db'}"
        self._client = MlflowClient(context.target or os.environ.get("MLFLOW_TRACKING_URI") or local)
        self._context = context
        self._id = context.id
        self._experiment = self._find_experiment((root / "mlflow-artifacts").as_uri())
        found = self._find_runs()
        self._runs = {number: run.info.run_id for number, run in found.items() if number != STUDY}
        self._statuses = {number: run.info.status for number, run in found.items()}
        self._steps: dict[str, int] = {}
        self._best = -1.0
        self._parent = found[STUDY].info.run_id if STUDY in found else self._start_study()
        self._set_status(STUDY, self._parent, "RUNNING")

    def _find_experiment(self, artifacts: str) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self._client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=artifacts))

    def _find_runs(self) -> dict[str, Run]:
        """Return all runs of this study, keyed by trial number or `STUDY`."""
        runs: dict[str, Run] = {}
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [self._experiment], f"tags.`hpo.id` = '{self._id}'", page_token=token or None
            )
            runs |= {run.data.tags["hpo.trial"]: run for run in page}
            token = page.token or None
        return runs

    def _start_study(self) -> str:
        run_id = self._create(STUDY, self._context.study.name)
        self._log(run_id, params=self._context.settings)
        return run_id

    def _create(self, number: str, name: str, parent: str | None = None) -> str:
        tags = {"hpo.id": self._id, "hpo.trial": number, "hpo.study": self._context.study.name}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        run = self._client.create_run(self._experiment, run_name=name, tags=tags)
        self._statuses[number] = run.info.status
        return str(run.info.run_id)

    def on_trial_update(self, report: TrialReport) -> None:
        """Log the trial's new measurements and its state."""
        number = str(report.number)
        if number in self._runs and self._statuses[number] in ("FINISHED", "FAILED") and not report.is_open:
            return
        if number not in self._runs:
            self._runs[number] = self._create(number, f"trial {number}", self._parent)
            self._log(self._runs[number], params=report.params | {"seed": report.seed})
            self._steps[number] = -1
        run_id = self._runs[number]
        if number not in self._steps:
            history = self._client.get_metric_history(run_id, "dev/f1")
            self._steps[number] = max((metric.step for metric in history), default=-1)
        new = [each for each in report.measurements if each.step > self._steps[number]]
        self._log(run_id, metrics=[(metrics_at(report, each), each.step) for each in new])
        self._steps[number] = max((each.step for each in new), default=self._steps[number])
        if report.best is not None and report.best.f1 > self._best:
            self._best = report.best.f1
            self._log(self._parent, metrics=[({BEST_F1: self._best}, report.number)])
        self._update_status(report, number, run_id)

    def _update_status(self, report: TrialReport, number: str, run_id: str) -> None:
        if report.is_open:
            self._set_status(number, run_id, "RUNNING")
            return
        best = {} if report.best is None else {BEST_F1: report.best.f1}
        tags = {"hpo.state": report.state.value} | ({"hpo.reason": report.reason} if report.reason else {})
        self._log(run_id, metrics=[(best, 0)], tags=tags)
        self._set_status(number, run_id, "FAILED" if report.state == State.FAILED else "FINISHED")

    def _set_status(self, number: str, run_id: str, status: str) -> None:
        if self._statuses.get(number) == status:
            return
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status)
        self._statuses[number] = status

    def _log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: list[tuple[dict[str, float], int]] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        now_ms = int(time.time() * 1000)
        flat = [
            Metric(name, float(v), now_ms, step) for row, step in metrics or () for name, v in row.items()
        ]
        if params or tags:
            self._client.log_batch(
                run_id,
                params=[Param(name, str(value)) for name, value in (params or {}).items()],
                tags=[RunTag(name, value) for name, value in (tags or {}).items()],
            )
        for start in range(0, len(flat), _METRICS_PER_CALL):
            self._client.log_batch(run_id, metrics=flat[start : start + _METRICS_PER_CALL])

    def on_scores(self, scores: Mapping[str, float]) -> None:
        """Log the final scores to the study's run."""
        self._log(self._parent, metrics=[(dict(scores), 0)])

    def close(self, state: str) -> None:
        """End the study's run and the runs of interrupted trials."""
        for number, run_id in self._runs.items():
            if self._statuses[number] == "RUNNING":
                self._set_status(number, run_id, "KILLED")
        self._set_status(STUDY, self._parent, _END_STATUS[state])
