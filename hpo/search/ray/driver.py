"""Ray Tune driver: starts Ray, shares its resources among trials, and runs a controller's search."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.environment import child_pythonpath
from hpo.errors import Issue, UserError
from hpo.search.controller import TrialController
from hpo.search.worker import TrialFunction

RAY_ADDRESS_VARIABLE = "HPO_RAY_ADDRESS"
"""Environment variable with the address of the Ray cluster; without it, Ray starts on this machine."""

OBJECT_STORE_BYTES = 128 * 2**20
"""Size of Ray's object store. Ray's default is a third of the memory, but only small objects are stored."""

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # no progress tables; hpo.reporting draws its own
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # one idle process per core, which no trial uses
    "RAY_enable_autoscaler_v2": "1",  # the default of `ray start`; shuts down a second faster
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal has everything
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # studies are restored from the journal
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",  # a stopped trial may still write its checkpoint
    "TUNE_RESULT_BUFFER_LENGTH": "1",
}


@dataclass(frozen=True)
class Resources:
    """Resources of a search: number of parallel trials, and threads and GPUs (or a share) of each."""

    workers: int
    threads: int
    gpus: float

    @property
    def processes(self) -> int:
        """Number of training processes per trial: one for each GPU."""
        return max(1, int(self.gpus))


def plan_resources(workers: int | None, gpus_per_trial: float, cores: int, gpus: int) -> Resources:
    """Divide a machine among trials: by GPUs, or by cores if there is no GPU or ``gpus_per_trial`` is 0.

    Raises
    ------
    UserError
        If a trial needs more GPUs than the machine has.
    """
    _check_gpus(gpus_per_trial, [gpus])
    use_gpus = bool(gpus and gpus_per_trial)
    capacity = max(1, _trials_per_machine(gpus, gpus_per_trial) if use_gpus else cores)
    parallel = min(workers, capacity) if use_gpus and workers else workers or capacity
    return Resources(parallel, max(1, cores // parallel), gpus_per_trial if use_gpus else 0.0)


def _trials_per_machine(gpus: int, gpus_per_trial: float) -> int:
    """Return how many trials fit on a machine's GPUs; a share never spans two GPUs."""
    return gpus // int(gpus_per_trial) if gpus_per_trial >= 1 else gpus * int(1 / gpus_per_trial)


def _check_gpus(gpus_per_trial: float, gpus: Sequence[int]) -> None:
    most = max(gpus)
    if gpus_per_trial > most > 0:
        counts = ", ".join(map(str, gpus))
        available = f"the {len(gpus)} nodes of the cluster have" if len(gpus) > 1 else "this machine has"
        message = "exceeds the GPUs of one machine, and a trial must fit on one machine"
        raise UserError(
            Issue("gpus_per_trial", message, gpus_per_trial, f"{available} {counts}; use at most {most}")
        )


def plan_cluster(workers: int | None, gpus_per_trial: float, nodes: Sequence[tuple[int, int]]) -> Resources:
    """Divide machines among trials, given the cores and GPUs of each; every trial fits on one machine.

    Each trial gets the largest number of threads with which all trials still run in parallel.

    Raises
    ------
    UserError
        If a trial needs more GPUs than any machine has.
    """
    _check_gpus(gpus_per_trial, [gpus for _, gpus in nodes])
    use_gpus = bool(gpus_per_trial) and any(gpus for _, gpus in nodes)
    slots = [
        (cores, _trials_per_machine(gpus, gpus_per_trial) if use_gpus else cores) for cores, gpus in nodes
    ]

    def capacity(threads: int) -> int:
        return sum(min(cores // threads, slot_limit) for cores, slot_limit in slots)

    parallel = max(1, min(workers or capacity(1), capacity(1)))
    threads = max((each for each in range(1, max(slots)[0] + 1) if capacity(each) >= parallel), default=1)
    return Resources(parallel, threads, gpus_per_trial if use_gpus else 0.0)


def cluster_nodes() -> list[tuple[int, int]]:
    """Return cores and GPUs of each node of the cluster at `RAY_ADDRESS_VARIABLE`; empty if it is unset.

    Raises
    ------
    UserError
        If there is no cluster at the address, or the connection is refused.
    """
    address = os.environ.get(RAY_ADDRESS_VARIABLE)
    if not address:
        return []
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            Issue(RAY_ADDRESS_VARIABLE, "no Ray cluster at this address", address, reason)
        ) from None
    try:
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()
    return [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in alive]


def run_search(controller: TrialController, run_trial: TrialFunction, resources: Resources) -> None:
    """Run trials until the controller has no more, or until the user interrupts.

    ``run_trial`` is called in Ray workers, which are reused from trial to trial. A trial that raises is
    recorded as failed; a trial whose worker or machine dies is resumed on another worker.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in RAY_SETTINGS.items()})
    import ray
    from ray import tune

    # "local" because Ray would otherwise connect to the cluster at RAY_ADDRESS.
    local = {
        "address": "local",
        "num_cpus": resources.workers * resources.threads,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    address = os.environ.get(RAY_ADDRESS_VARIABLE)
    ray.init(
        **({"address": address} if address else local),
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=True,
        runtime_env={"env_vars": worker_environment(resources)},
    )
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    try:
        with _interrupt_on(signal.SIGTERM, signal.SIGUSR1):
            _tune(tune, controller, run_trial, resources, controller.folder.ray.resolve())
    finally:
        ray.shutdown()


@contextmanager
def _interrupt_on(*numbers: signal.Signals) -> Iterator[None]:
    """Turn signals into an interrupt, which Ray Tune handles."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, lambda *_: os.kill(os.getpid(), signal.SIGINT)) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def worker_environment(resources: Resources) -> dict[str, str]:
    """Return the environment variables of Ray workers."""
    threads = str(resources.threads)
    return {
        # Workers start in another directory, where an uninstalled checkout is not importable.
        "PYTHONPATH": child_pythonpath(),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "MALLOC_ARENA_MAX": "2",  # each trial runs in a new thread, which would leave an arena behind
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        # Ray shows all GPUs to a trial that requests none.
        **({} if resources.gpus else {"CUDA_VISIBLE_DEVICES": ""}),
    }


def _tune(
    tune: Any, controller: TrialController, run_trial: TrialFunction, resources: Resources, storage: Path
) -> None:
    from hpo.search.ray.adapters import RayTuneScheduler, RayTuneSearcher, trainable

    # Start workers in parallel; by default Tune waits for one before it requests the next trial.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers)
    tuner = tune.Tuner(
        tune.with_resources(trainable(run_trial), {"cpu": resources.threads, "gpu": resources.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=RayTuneSearcher(controller, resources.workers),
            scheduler=RayTuneScheduler(controller),
            num_samples=-1,  # until the controller has no more trials
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.config["number"]),
        ),
        run_config=tune.RunConfig(name=storage.name, storage_path=str(storage.parent), verbose=0),
    )
    tuner.fit()
