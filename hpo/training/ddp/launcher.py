"""Trains one model in several processes: starts the workers, answers their requests, reports failures."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hpo.environment import child_pythonpath
from hpo.training.gpu_memory import GpuExhausted
from hpo.training.measurement import Measurement
from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask, WorkerDied

EXIT_GRACE_S = 2.0
"""After a worker reports a failure, how long to wait for the exit of another, which would be the cause."""
STOP_TIMEOUT_S = 110.0
"""How long a stopped trial may take to finish, which includes writing its best checkpoint."""

_KNOWN_ERRORS: dict[str, type[RuntimeError]] = {each.__name__: each for each in (NonFiniteLoss, GpuExhausted)}


class RankFailed(RuntimeError):
    """A worker raised an exception, whose type and message this one contains."""


def train_distributed(processes: int, task: TrainingTask, callbacks: TrainingCallbacks) -> None:
    """Train like `hpo.training.trainer.train`, in several processes of this machine that share each batch.

    Steps, batches, loss and gradient equal those of one process, except for rounding and dropout. The
    workers are reused for the next trial, since they take seconds to start. If one exits or raises, all
    are killed.

    Raises
    ------
    NonFiniteLoss
        If the loss diverges, as in `train`.
    GpuExhausted
        If a worker runs out of GPU memory.
    WorkerDied
        If a worker exits.
    RankFailed
        If a worker raises another exception.
    """
    worker_pool(processes).train(task, callbacks)


@lru_cache(maxsize=1)
def worker_pool(world_size: int) -> WorkerPool:
    """Return the running pool of this size, or start one."""
    return WorkerPool(world_size)


class WorkerProcess:
    """One worker and the connection to it."""

    def __init__(self, rank: int, world_size: int, rendezvous_file: Path) -> None:
        self.rank = rank
        own_end, worker_end = socket.socketpair()
        with worker_end:
            arguments = [str(each) for each in (worker_end.fileno(), rank, world_size, rendezvous_file)]
            # multiprocessing would import the main module, which may be Ray's worker.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hpo.training.ddp.worker", *arguments],
                pass_fds=[worker_end.fileno()],
                env=_environment(world_size),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # the launcher handles an interrupt from the terminal
            )
        self.connection = Connection(own_end.detach())

    def send(self, message: dict[str, Any]) -> None:
        self.connection.send_bytes(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        return dict(json.loads(self.connection.recv_bytes()))

    def exit_reason(self, world_size: int) -> str:
        code = self.process.wait(timeout=EXIT_GRACE_S)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"process {self.rank + 1} of the trial's {world_size} {how}"


def _environment(world_size: int) -> dict[str, str]:
    """Return the environment of a worker: its share of the threads, and the import path of hpo."""
    threads = str(max(1, int(os.environ.get("OMP_NUM_THREADS", "1")) // world_size))
    overrides = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONPATH": child_pythonpath(),
    }
    # The default level warns in every trial that all parameters are used.
    return {"TORCH_CPP_LOG_LEVEL": "ERROR"} | os.environ | overrides


class WorkerPool:
    """The workers that train one trial after another; they exit when this process exits."""

    def __init__(self, world_size: int) -> None:
        self._rendezvous = tempfile.TemporaryDirectory(prefix="hpo-ddp-")
        file = Path(self._rendezvous.name) / "rendezvous"
        self.workers = [WorkerProcess(rank, world_size, file) for rank in range(world_size)]

    def train(self, task: TrainingTask, callbacks: TrainingCallbacks) -> None:
        """Train one trial, as `train_distributed`."""
        try:
            stopped_by = self._run(task, callbacks)
        except BaseException:
            self.shutdown()
            raise
        if stopped_by:
            raise stopped_by

    def shutdown(self) -> None:
        """Kill all workers; the next trial starts new ones."""
        worker_pool.cache_clear()
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.wait()
            worker.connection.close()
        self._rendezvous.cleanup()

    def _run(self, task: TrainingTask, callbacks: TrainingCallbacks) -> BaseException | None:
        """Run a task and answer requests until all workers are done; return what ``report`` raised."""
        busy = {worker.connection: worker for worker in self.workers}
        stopped_by: BaseException | None = None
        try:
            for worker in self.workers:
                worker.send(task.to_json())
            while busy:
                ready = wait(list(busy), STOP_TIMEOUT_S if stopped_by else None)
                if not ready and stopped_by:
                    raise stopped_by
                for connection in ready:
                    assert isinstance(connection, Connection)
                    worker = busy[connection]
                    message = worker.receive()
                    if "measurement" in message:
                        continues = False
                        try:
                            measurement = Measurement(**message["measurement"])
                            continues = not stopped_by and callbacks.report(measurement)
                        except BaseException as error:  # Ray stops a trial by SystemExit in its thread
                            stopped_by = error
                        worker.send({"continue": continues})
                    elif "new_best" in message:
                        folder = callbacks.on_new_best(Measurement(**message["new_best"]))
                        worker.send({"folder": str(folder) if folder else None})
                    elif "failure" in message:
                        raise self._failure(message["kind"], message["failure"])
                    else:
                        del busy[connection]
        except (EOFError, ConnectionError, BrokenPipeError):
            raise self._death() from None
        return stopped_by

    def _failure(self, kind: str, text: str) -> RuntimeError:
        """Return the cause of a reported failure: the exit of another worker, or the failure itself."""
        if self._dead() or self._dead_within_grace():
            return self._death()
        return _KNOWN_ERRORS[kind](text) if kind in _KNOWN_ERRORS else RankFailed(f"{kind}: {text}")

    def _death(self) -> WorkerDied:
        world_size = len(self.workers)
        if not self._dead() and not self._dead_within_grace():
            return WorkerDied(f"a process of the trial's {world_size} hung up")
        return WorkerDied(self._dead()[0].exit_reason(world_size))

    def _dead(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.process.poll() is not None]

    def _dead_within_grace(self) -> bool:
        for worker in self.workers:
            try:
                worker.process.wait(timeout=EXIT_GRACE_S / len(self.workers))
            except subprocess.TimeoutExpired:
                continue
            return True
        return False
