"""Contestants: our driver and our controller on trials that only report, for the overhead of a search."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.processes import resident_bytes
from hpo.config.search_space import Params
from hpo.config.study import Study, build_study
from hpo.search.controller import TrialController
from hpo.search.ray.driver import Resources, run_search
from hpo.search.trial import Trial
from hpo.simulation.tuner import simulate, temporary_controller
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement

LEARNING_RATE_RANGE = {"low": 1e-4, "high": 1e-2}


def reporting_study(trials: int, reports: int, algorithm: str = "random") -> Study:
    """Return a study over the learning rate whose trials report ``reports`` measurements each."""
    parameter = {"type": "loguniform"} | LEARNING_RATE_RANGE
    space = {"parameters": {"learning_rate": parameter}, "fixed": {"epochs": reports, "evals_per_epoch": 1}}
    return build_study({"name": "driver", "algorithm": algorithm, "trials": trials, "space": space})


def dummy_measurement(epoch: int, params: Params) -> Measurement:
    """Return the measurement of a trial that trains nothing; its F1 is the learning rate."""
    return Measurement(
        epoch=float(epoch),
        step=epoch,
        f1=float(params["learning_rate"]),
        precision=0.0,
        recall=0.0,
        loss=1.0,
        train_loss=1.0,
        seconds=float(epoch),
    )


@dataclass(frozen=True)
class WorkerBarrier:
    """Blocks the first trial of each worker until all workers have started.

    Otherwise the first worker would finish all of these short trials before the second one has started.
    """

    folder: Path
    workers: int

    def wait(self) -> None:
        """Register this worker, and wait for the others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / str(os.getpid())).touch()
        while len(list(self.folder.iterdir())) < self.workers:
            time.sleep(0.01)


@dataclass(frozen=True)
class ReportingTrial:
    """A trial that only reports, after all workers have started."""

    reports: int
    barrier: WorkerBarrier

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """As `TrialRunner.__call__`."""
        self.barrier.wait()
        for epoch in range(1, self.reports + 1):
            report(dummy_measurement(epoch, trial["params"]))


class ResultCounter:
    """Counts the results that arrive at a driver, and measures time and memory from the first to the last."""

    def __init__(self, expected: int) -> None:
        self.results = 0
        self.expected = expected
        self.first_s = self.last_s = 0.0
        self.rss_first = self.rss_last = 0

    def count(self) -> None:
        """Count one result."""
        self.results += 1
        self.last_s = time.perf_counter()
        if self.results == 1:
            self.first_s, self.rss_first = self.last_s, resident_bytes()
        if self.results == self.expected:
            self.rss_last = resident_bytes()

    def facts(self) -> dict[str, Any]:
        """Return the milliseconds per result after the first, and the growth of memory in bytes."""
        return {
            "results": self.results,
            "result_ms": (self.last_s - self.first_s) / max(1, self.results - 1) * 1000,
            "memory_growth": self.rss_last - self.rss_first,
        }


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run our driver on Ray Tune. ``spec``: ``trials``, ``reports``, ``workers``, ``folder``."""
    study = reporting_study(spec["trials"], spec["reports"])
    controller = TrialController(study, StudyFolder("driver", Path(spec["folder"])))
    counter = ResultCounter(study.runs * spec["reports"])
    counts: dict[int, int] = {}
    controller.add_listener(lambda trial: counter.count() if _has_new_result(trial, counts) else None)
    barrier = WorkerBarrier(Path(spec["folder"]) / "barrier", spec["workers"])
    run_search(controller, ReportingTrial(spec["reports"], barrier), Resources(spec["workers"], 1, 0.0))
    facts = counter.facts()  # before close, which rewrites the journal once
    controller.close()
    assert controller.finished
    return facts | {"trials": len(controller.trials)}


def _has_new_result(trial: Trial, counts: dict[int, int]) -> bool:
    """Return whether a trial has more measurements than at its last call, and update ``counts``."""
    known = counts.get(trial.number, 0)
    counts[trial.number] = len(trial.measurements)
    return len(trial.measurements) > known


def run_controller(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run our controller without Ray, in simulated time. ``spec``: as `run`, and ``algorithm``."""
    study = reporting_study(spec["trials"], spec["reports"], spec["algorithm"])

    def curve(params: Params) -> list[Measurement]:
        return [dummy_measurement(epoch, params) for epoch in range(1, spec["reports"] + 1)]

    with temporary_controller(study) as controller:
        before, start = resident_bytes(), time.perf_counter()
        progress = simulate(controller, curve, spec["workers"])
        seconds = time.perf_counter() - start
        return {
            "results": len(progress),
            "result_ms": seconds / len(progress) * 1000,
            "memory_growth": resident_bytes() - before,
            "trials": len(controller.trials),
        }
