"""``Trainer.hyperparameter_search(backend="ray")``, as its manual has it, with a scheduler of Ray's."""

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
from benchmarks.speed.instrumentation import TrainingRecorder, process_recorder, summarize_log
from benchmarks.speed.peers.examples import arguments, build_trainer

OBJECTIVE: dict[str, Any] = {"metric": "objective", "mode": "max"}


class RecordingCallback(TrainerCallback):
    """Tells the watch of a worker what its trial does; small, so that it travels with the Trainer."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def begin(self) -> None:
        """Note that a trial begins."""
        self._recorder().begin(tune.get_context().get_trial_id())

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
        """Note a measurement."""
        self._recorder().measured(state.epoch, metrics["eval_f1"])

    def _recorder(self) -> TrainingRecorder:
        return process_recorder(self._log)


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Search over given configurations, in their order.

    ``spec``: ``fixture``, ``configs`` (learning rate and weight decay of each trial), ``epochs``,
    ``scheduler`` (asha or pbt), ``seed``, ``workers``, ``folder``.
    """
    folder = Path(spec["folder"])
    log = folder / "recording.jsonl"
    recording = RecordingCallback(log)
    # A search that is to end with a model has to save it; with its evaluations, as the manual says.
    saving = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    args = arguments(folder / "trainer", spec["epochs"], spec["seed"], **saving)
    trainer = build_trainer(Fixture(Path(spec["fixture"])), args, recording.begin, callbacks=[recording])
    before, at = seconds_since_start(), time.time()
    # More cores than trials side by side would start more of them.
    init(address="local", num_cpus=spec["workers"], include_dashboard=False, log_to_driver=False)
    best = trainer.hyperparameter_search(
        hp_space=lambda _: {
            "learning_rate": tune.loguniform(1e-4, 1e-2),
            "weight_decay": tune.uniform(0.0, 0.2),
        },
        compute_objective=_f1_then_loss,
        n_trials=len(spec["configs"]),
        direction="maximize",
        backend="ray",
        scheduler=_scheduler(spec["scheduler"], spec["epochs"], spec["seed"]),
        search_alg=BasicVariantGenerator(points_to_evaluate=spec["configs"]),
        resources_per_trial={"cpu": 1},
        storage_path=str(folder / "ray_results"),
        verbose=0,
    )
    shutdown()
    ended = time.time()
    return summarize_log(log, spec["workers"]) | {
        "before_s": before,
        "search_s": ended - at,
        "started": at,
        "objective": best.objective,
    }


def _f1_then_loss(metrics: Mapping[str, float]) -> float:
    """Order trials as ours does: by F1, and where it ties, often at 0, by the lower dev loss."""
    return metrics["eval_f1"] - 1e-6 * metrics["eval_loss"]


def _scheduler(name: str, epochs: int, seed: int) -> Any:
    if name == "asha":
        return ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=3, **OBJECTIVE)
    return PopulationBasedTraining(
        perturbation_interval=1,
        quantile_fraction=0.2,
        hyperparam_mutations={
            "learning_rate": tune.loguniform(1e-4, 1e-2),
            "weight_decay": tune.uniform(0.0, 0.2),
        },
        **OBJECTIVE,
    )


def time_epoch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of one epoch of the bare Trainer, dev evaluation included, by itself on one thread."""
    folder = Path(spec["folder"])
    args = arguments(folder, 1, 0, eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Fixture(Path(spec["fixture"])), args)
    at = time.perf_counter()
    trainer.train()
    return {"epoch_s": time.perf_counter() - at}


def count_padding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Real and padded tokens that the model sees in training and evaluation, with the default batching."""
    folder = Path(spec["folder"])
    log = folder / "recording.jsonl"
    args = arguments(folder, 1, spec["seed"], eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Fixture(Path(spec["fixture"])), args)
    recorder = process_recorder(log)
    recorder.begin(0)
    trainer.train()
    recorder.measured(1.0, 0.0)
    return summarize_log(log)
