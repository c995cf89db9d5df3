"""Ray Tune with a function that only reports, and nothing of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import init, shutdown, tune

from benchmarks.speed.driver_overhead import (
    LEARNING_RATE_RANGE,
    ResultCounter,
    WorkerBarrier,
    dummy_measurement,
)
from hpo.search.ray.driver import RAY_SETTINGS


class CountingCallback(tune.Callback):
    """Counts results as they come in."""

    def __init__(self, counter: ResultCounter) -> None:
        self._counter = counter

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        """Note one result."""
        self._counter.count()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Ray Tune by itself, with the switches that our driver sets: no loggers, no syncer, few snapshots.

    ``spec``: ``trials``, ``reports``, ``workers``, ``folder``, and ``ahead``: how many trials it makes before
    they are needed. By itself it makes 200, which at 100 trials is all of them before the first result.
    """
    os.environ.update(RAY_SETTINGS)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(spec["ahead"])
    init(address="local", num_cpus=spec["workers"], include_dashboard=False, log_to_driver=False)
    reports, counter = spec["reports"], ResultCounter(spec["trials"] * spec["reports"])
    barrier = WorkerBarrier(Path(spec["folder"]) / "barrier", spec["workers"])

    def only_report(config: dict[str, Any]) -> None:
        barrier.wait()
        for epoch in range(1, reports + 1):
            tune.report({"measurement": dummy_measurement(epoch, config)})

    tuner = tune.Tuner(
        tune.with_resources(only_report, {"cpu": 1}),
        param_space={
            "learning_rate": tune.loguniform(LEARNING_RATE_RANGE["low"], LEARNING_RATE_RANGE["high"])
        },
        tune_config=tune.TuneConfig(num_samples=spec["trials"], reuse_actors=True),
        run_config=tune.RunConfig(
            name="bare",
            storage_path=str(Path(spec["folder"])),
            verbose=0,
            callbacks=[CountingCallback(counter)],
        ),
    )
    found = tuner.fit()
    facts = counter.facts()
    shutdown()
    return facts | {"trials": len(found)}
