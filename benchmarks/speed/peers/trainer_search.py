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

from benchmarks.speed.contestants import command_seconds
from benchmarks.speed.fixtures import Material
from benchmarks.speed.instrumentation import Watch, read_watch, watching
from benchmarks.speed.peers.examples import arguments, build_trainer

GOAL: dict[str, Any] = {"metric": "objective", "mode": "max"}


class Noting(TrainerCallback):
    """Tells the watch of a worker what its trial does; small, so that it travels with the Trainer."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def begin(self) -> None:
        """Note that a trial begins."""
        self._watch().begin(tune.get_context().get_trial_id())

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
        """Note a measurement."""
        self._watch().measured(state.epoch, metrics["eval_f1"])

    def _watch(self) -> Watch:
        return watching(self._log)


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Search over given configurations, in their order.

    ``spec``: ``material``, ``configs`` (learning rate and weight decay of each trial), ``epochs``,
    ``scheduler`` (asha or pbt), ``seed``, ``workers``, ``folder``.
    """
    folder = Path(spec["folder"])
    log = folder / "watch.jsonl"
    noting = Noting(log)
    # A search that is to end with a model has to save it; with its evaluations, as the manual says.
    saving = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    args = arguments(folder / "trainer", spec["epochs"], spec["seed"], **saving)
    trainer = build_trainer(Material(Path(spec["material"])), args, noting.begin, callbacks=[noting])
    before, at = command_seconds(), time.time()
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
    return read_watch(log, spec["workers"]) | {
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
        return ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=3, **GOAL)
    return PopulationBasedTraining(
        perturbation_interval=1,
        quantile_fraction=0.2,
        hyperparam_mutations={
            "learning_rate": tune.loguniform(1e-4, 1e-2),
            "weight_decay": tune.uniform(0.0, 0.2),
        },
        **GOAL,
    )


def time_epoch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of one epoch of the bare Trainer, dev evaluation included, by itself on one thread."""
    folder = Path(spec["folder"])
    args = arguments(folder, 1, 0, eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Material(Path(spec["material"])), args)
    at = time.perf_counter()
    trainer.train()
    return {"epoch_s": time.perf_counter() - at}


def count_padding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Real and padded tokens that the model sees in training and evaluation, with the default batching."""
    folder = Path(spec["folder"])
    log = folder / "watch.jsonl"
    args = arguments(folder, 1, spec["seed"], eval_strategy="epoch", save_strategy="no")
    trainer = build_trainer(Material(Path(spec["material"])), args)
    watch = watching(log)
    watch.begin(0)
    trainer.train()
    watch.measured(1.0, 0.0)
    return read_watch(log)
