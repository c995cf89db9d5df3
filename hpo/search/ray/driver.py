"""A search on Ray Tune: Ray starts, schedules and stops the trials, the controller decides."""

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

CLUSTER = "HPO_RAY_ADDRESS"
"""The variable that names the Ray cluster to search on; without it a search starts Ray on its own machine."""

OBJECT_STORE_BYTES = 128 * 2**20
"""Of shared memory for Ray, through which nothing large goes; it would take a third of the machine's."""

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # its tables; ours are drawn by the reporting room
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # a process for each core, of which a trial takes none
    "RAY_enable_autoscaler_v2": "1",  # as `ray start` has it; the older one is a second slower to end
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal holds it all
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the journal is what a study is taken up from
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",  # a stopped trial may still be writing its model
    "TUNE_RESULT_BUFFER_LENGTH": "1",
}


@dataclass(frozen=True)
class Resources:
    """What a search may use: trials side by side, and of each, CPU threads and GPUs, or a share of one."""

    workers: int
    threads: int
    gpus: float

    @property
    def processes(self) -> int:
        """In how many processes each trial trains: one for each of its GPUs."""
        return max(1, int(self.gpus))


def plan_resources(workers: int | None, gpus_per_trial: float, cores: int, gpus: int) -> Resources:
    """Share a machine out among trials: by GPUs, or by cores where there are none or none is wanted.

    Raises
    ------
    UserError
        if a trial wants more GPUs than there are.
    """
    _refuse_too_many(gpus_per_trial, [gpus])
    on_gpus = bool(gpus and gpus_per_trial)
    most = _trials_on(gpus, gpus_per_trial) if on_gpus else cores
    chosen = min(workers, max(1, most)) if on_gpus and workers else workers or max(1, most)
    return Resources(chosen, max(1, cores // chosen), gpus_per_trial if on_gpus else 0.0)


def _trials_on(gpus: int, gpus_per_trial: float) -> int:
    """How many trials the GPUs of a machine hold; one's share lies on a single GPU."""
    return gpus // int(gpus_per_trial) if gpus_per_trial >= 1 else gpus * int(1 / gpus_per_trial)


def _refuse_too_many(gpus_per_trial: float, gpus: Sequence[int]) -> None:
    most = max(gpus)
    if gpus_per_trial > most > 0:
        counts = ", ".join(map(str, gpus))
        available = f"the {len(gpus)} nodes of the cluster have" if len(gpus) > 1 else "this machine has"
        message = "exceeds the GPUs of one machine, and a trial must fit on one machine"
        raise UserError(
            Issue("gpus_per_trial", message, gpus_per_trial, f"{available} {counts}; use at most {most}")
        )


def plan_cluster(workers: int | None, gpus_per_trial: float, nodes: Sequence[tuple[int, int]]) -> Resources:
    """Share machines out among trials, given the cores and GPUs of each; a trial lies on one of them.

    Trials get as many threads as they can have with all of them running side by side.

    Raises
    ------
    UserError
        if a trial wants more GPUs than any of them has.
    """
    _refuse_too_many(gpus_per_trial, [gpus for _, gpus in nodes])
    with_gpus = bool(gpus_per_trial) and any(gpus for _, gpus in nodes)
    slots = [(cores, _trials_on(gpus, gpus_per_trial) if with_gpus else cores) for cores, gpus in nodes]

    def fits(threads: int) -> int:
        return sum(min(cores // threads, most) for cores, most in slots)

    chosen = max(1, min(workers or fits(1), fits(1)))
    threads = max((each for each in range(1, max(slots)[0] + 1) if fits(each) >= chosen), default=1)
    return Resources(chosen, threads, gpus_per_trial if with_gpus else 0.0)


def cluster_nodes() -> list[tuple[int, int]]:
    """Cores and GPUs of each node of the cluster that the environment names; none if it names none.

    Raises
    ------
    UserError
        if there is no cluster at that address, or it does not let this user in.
    """
    address = os.environ.get(CLUSTER)
    if not address:
        return []
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(Issue(f"{CLUSTER}={address}", "no Ray cluster answers there", reason)) from None
    try:
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()
    return [(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in alive]


def run_search(controller: TrialController, run_trial: TrialFunction, resources: Resources) -> None:
    """Run trials until the controller has no more, or until the user interrupts.

    ``run_trial`` is called in Ray's workers, which stay warm from trial to trial. A trial that raises is
    recorded as failed, one whose worker or machine dies goes on elsewhere, and the search with them.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _SETTINGS.items()})
    import ray
    from ray import tune

    # Not the cluster that RAY_ADDRESS may name.
    own = {
        "address": "local",
        "num_cpus": resources.workers * resources.threads,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    address = os.environ.get(CLUSTER)
    ray.init(
        **({"address": address} if address else own),
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=True,
        runtime_env={"env_vars": _worker_environment(resources)},
    )
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    try:
        with _stopped_by(signal.SIGTERM, signal.SIGUSR1):
            _tune(tune, controller, run_trial, resources, controller.folder.ray.resolve())
    finally:
        ray.shutdown()


@contextmanager
def _stopped_by(*numbers: signal.Signals) -> Iterator[None]:
    """Have signals stop the search as an interrupt does, which Tune knows how to hear."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, lambda *_: os.kill(os.getpid(), signal.SIGINT)) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _worker_environment(resources: Resources) -> dict[str, str]:
    threads = str(resources.threads)
    return {
        # A worker starts in a folder of Ray's, where a checkout that is not installed would not be found.
        "PYTHONPATH": child_pythonpath(),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "MALLOC_ARENA_MAX": "2",  # each trial runs in a thread of its own, and would leave an arena behind
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        # Ray leaves a trial that asks for no GPU all of them.
        **({} if resources.gpus else {"CUDA_VISIBLE_DEVICES": ""}),
    }


def _tune(
    tune: Any, controller: TrialController, run_trial: TrialFunction, resources: Resources, storage: Path
) -> None:
    from hpo.search.ray.adapters import RayTuneScheduler, RayTuneSearcher, trainable

    # Workers start side by side; by itself Tune waits for one before it asks for the next trial.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers)
    tuner = tune.Tuner(
        tune.with_resources(trainable(run_trial), {"cpu": resources.threads, "gpu": resources.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=RayTuneSearcher(controller, resources.workers),
            scheduler=RayTuneScheduler(controller),
            num_samples=-1,  # the controller says when it is enough
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.config["number"]),
        ),
        run_config=tune.RunConfig(name=storage.name, storage_path=str(storage.parent), verbose=0),
    )
    tuner.fit()
