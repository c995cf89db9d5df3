"""What a search costs besides its trials: our driver and our controller on trials that only report."""

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
    """A study over one hyperparameter, all of whose trials report so often."""
    parameter = {"type": "loguniform"} | LEARNING_RATE_RANGE
    space = {"parameters": {"learning_rate": parameter}, "fixed": {"epochs": reports, "evals_per_epoch": 1}}
    return build_study({"name": "driver", "algorithm": algorithm, "trials": trials, "space": space})


def dummy_measurement(epoch: int, params: Params) -> Measurement:
    """What a trial that trains nothing reports."""
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
class ReportingTrial:
    """A trial that only reports, once all workers are up."""

    reports: int
    barrier: WorkerBarrier

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """As `TrialRunner.__call__`."""
        self.barrier.wait()
        for epoch in range(1, self.reports + 1):
            report(dummy_measurement(epoch, trial["params"]))


@dataclass(frozen=True)
class WorkerBarrier:
    """Holds the first trial of each worker until all workers are up.

    Trials that take no time would else be through, on the first worker that starts, before the second has.
    """

    folder: Path
    workers: int

    def wait(self) -> None:
        """Note that this worker is up, and wait for the others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / str(os.getpid())).touch()
        while len(list(self.folder.iterdir())) < self.workers:
            time.sleep(0.01)


class ResultCounter:
    """Counts what comes in at a driver, from the first to the last."""

    def __init__(self, expected: int) -> None:
        self.results = 0
        self.expected = expected
        self.first = self.last = 0.0
        self.rss_first = self.rss_last = 0

    def count(self) -> None:
        """Note one result."""
        self.results += 1
        self.last = time.perf_counter()
        if self.results == 1:
            self.first, self.rss_first = self.last, resident_bytes()
        if self.results == self.expected:
            self.rss_last = resident_bytes()

    def facts(self) -> dict[str, Any]:
        """Milliseconds per result after the first, and how much memory has grown to the last, in bytes."""
        return {
            "results": self.results,
            "result_ms": (self.last - self.first) / max(1, self.results - 1) * 1000,
            "memory_growth": self.rss_last - self.rss_first,
        }


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Our driver on Ray Tune. ``spec``: ``trials``, ``reports``, ``workers``, ``folder``."""
    study = reporting_study(spec["trials"], spec["reports"])
    controller = TrialController(study, StudyFolder("driver", Path(spec["folder"])))
    counter = ResultCounter(study.runs * spec["reports"])
    controller.add_listener(lambda trial: counter.count() if _has_new_result(trial, seen) else None)
    seen: dict[int, int] = {}
    barrier = WorkerBarrier(Path(spec["folder"]) / "barrier", spec["workers"])
    run_search(controller, ReportingTrial(spec["reports"], barrier), Resources(spec["workers"], 1, 0.0))
    facts = counter.facts()  # before the journal is written out whole, which happens once
    controller.close()
    assert controller.finished
    return facts | {"trials": len(controller.trials)}


def _has_new_result(trial: Trial, seen: dict[int, int]) -> bool:
    known = seen.get(trial.number, 0)
    seen[trial.number] = len(trial.measurements)
    return len(trial.measurements) > known


def run_controller(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Our controller by itself, without Ray, in simulated time. ``spec``: as `run`, and ``algorithm``."""
    study = reporting_study(spec["trials"], spec["reports"], spec["algorithm"])

    def curve(params: Params) -> list[Measurement]:
        return [dummy_measurement(epoch, params) for epoch in range(1, spec["reports"] + 1)]

    with temporary_controller(study) as controller:
        before, at = resident_bytes(), time.perf_counter()
        progress = simulate(controller, curve, spec["workers"])
        seconds = time.perf_counter() - at
        return {
            "results": len(progress),
            "result_ms": seconds / len(progress) * 1000,
            "memory_growth": resident_bytes() - before,
            "trials": len(controller.trials),
        }
