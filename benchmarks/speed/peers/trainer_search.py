"""Contestant: ``Trainer.hyperparameter_search(backend="ray")`` with a scheduler of Ray Tune."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import init, shutdown, tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining
from ray.tune.search import BasicVariantGenerator
from transformers import TrainerCallback

from benchmarks.speed.contestants import seconds_since_start
from benchmarks.speed.fixtures import Fixture
from benchmarks.speed.instrumentation import process_recorder, summarize_log
from benchmarks.speed.peers.examples import arguments, build_trainer

OBJECTIVE: dict[str, Any] = {"metric": "objective", "mode": "max"}
SPACE = {"learning_rate": tune.loguniform(1e-4, 1e-2), "weight_decay": tune.uniform(0.0, 0.2)}


class RecordingCallback(TrainerCallback):
    """Passes the start and the evaluations of a trial to the recorder of its worker.

    It holds a path only, because it is pickled with the Trainer.
    """

    def __init__(self, log: Path) -> None:
        self._log = log

    def on_trial_start(self) -> None:
        """Record the start of a trial."""
        process_recorder(self._log).start_trial(tune.get_context().get_trial_id())

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
        """Record a measurement."""
        process_recorder(self._log).on_measurement(state.epoch, metrics["eval_f1"])


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run a search over given configurations, in their order.

    ``spec``: ``fixture``, ``configs`` (learning rate and weight decay of each trial), ``epochs``,
    ``scheduler`` (asha or pbt), ``seed``, ``workers``, ``folder``.
    """
    folder = Path(spec["folder"])
    log = folder / "recording.jsonl"
    recording = RecordingCallback(log)
    # To keep the best model, a search must save it with each evaluation, as the documentation says.
    saving = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    args = arguments(folder / "trainer", spec["epochs"], spec["seed"], **saving)
    fixture = Fixture(Path(spec["fixture"]))
    trainer = build_trainer(fixture, args, recording.on_trial_start, callbacks=[recording])
    before, start = seconds_since_start(), time.time()
    # Ray runs one trial per CPU, so this limits the number of parallel trials.
    init(address="local", num_cpus=spec["workers"], include_dashboard=False, log_to_driver=False)
    trainer.hyperparameter_search(
        hp_space=lambda _: dict(SPACE),
        compute_objective=_f1_then_loss,
        n_trials=len(spec["configs"]),
        direction="maximize",
        backend="ray",
        scheduler=_scheduler(spec["scheduler"], spec["epochs"]),
        search_alg=BasicVariantGenerator(points_to_evaluate=spec["configs"]),
        resources_per_trial={"cpu": 1},
        storage_path=str(folder / "ray_results"),
        verbose=0,
    )
    shutdown()
    end = time.time()
    return summarize_log(log, spec["workers"]) | {"before_s": before, "search_s": end - start}


def _f1_then_loss(metrics: Mapping[str, float]) -> float:
    """Return an objective that orders trials as ours does: by F1, and ties (often at 0) by lower loss."""
    return metrics["eval_f1"] - 1e-6 * metrics["eval_loss"]


def _scheduler(name: str, epochs: int) -> Any:
    if name == "asha":
        return ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=3, **OBJECTIVE)
    return PopulationBasedTraining(
        perturbation_interval=1,
        quantile_fraction=0.2,
        hyperparam_mutations=dict(SPACE),
        **OBJECTIVE,
    )


def time_epoch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the seconds of one epoch of a plain Trainer on one thread, including the dev evaluation.

    ``spec``: ``fixture``, ``folder``.
    """
    folder = Path(spec["folder"])
    args = arguments(folder, 1, 0, eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Fixture(Path(spec["fixture"])), args)
    start = time.perf_counter()
    trainer.train()
    return {"epoch_s": time.perf_counter() - start}


def count_padding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Count real and padded tokens in the model's input during training and evaluation with default batching.

    ``spec``: ``fixture``, ``seed``, ``folder``.
    """
    folder = Path(spec["folder"])
    log = folder / "recording.jsonl"
    args = arguments(folder, 1, spec["seed"], eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Fixture(Path(spec["fixture"])), args)
    recorder = process_recorder(log)
    recorder.start_trial(0)
    trainer.train()
    recorder.on_measurement(1.0, 0.0)
    return summarize_log(log)
