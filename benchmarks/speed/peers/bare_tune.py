"""Contestant: Ray Tune with a function that only reports, without any of our code in between."""

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
    """Counts results as they arrive."""

    def __init__(self, counter: ResultCounter) -> None:
        self._counter = counter

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        """Count one result."""
        self._counter.count()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray stores callbacks in its snapshots; the counter belongs to this process


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run Ray Tune with the settings of our driver: no loggers, no syncer, few snapshots.

    ``spec``: ``trials``, ``reports``, ``workers``, ``folder``, and ``ahead``, the number of trials that Ray
    creates before they are needed. Its default of 200 would create all of 100 trials before the first result.
    """
    os.environ.update(RAY_SETTINGS)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(spec["ahead"])
    init(address="local", num_cpus=spec["workers"], include_dashboard=False, log_to_driver=False)
    folder, reports = Path(spec["folder"]), spec["reports"]
    counter = ResultCounter(spec["trials"] * reports)
    barrier = WorkerBarrier(folder / "barrier", spec["workers"])

    def only_report(config: dict[str, Any]) -> None:
        barrier.wait()
        for epoch in range(1, reports + 1):
            tune.report({"measurement": dummy_measurement(epoch, config)})

    learning_rate = tune.loguniform(LEARNING_RATE_RANGE["low"], LEARNING_RATE_RANGE["high"])
    tuner = tune.Tuner(
        tune.with_resources(only_report, {"cpu": 1}),
        param_space={"learning_rate": learning_rate},
        tune_config=tune.TuneConfig(num_samples=spec["trials"], reuse_actors=True),
        run_config=tune.RunConfig(
            name="bare", storage_path=str(folder), verbose=0, callbacks=[CountingCallback(counter)]
        ),
    )
    trials = tuner.fit()
    facts = counter.facts()
    shutdown()
    return facts | {"trials": len(trials)}
