"""A trial in several processes, one for each of its GPUs: this one starts them, and speaks for them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hpo.config.objective import Objective
from hpo.config.training_config import TrainingConfig
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.environment import child_pythonpath
from hpo.training.gpu_memory import GpuExhausted
from hpo.training.measurement import Measurement, WorkerDied
from hpo.training.trainer import Keep, NonFiniteLoss, Report

GRACE_S = 2.0
"""After one process has failed, for how long another may turn out to have died, and to be why it did."""
LAST_S = 110.0
"""How long a stopped trial may take to its end; what it writes then is its best model."""

_KNOWN: dict[str, type[RuntimeError]] = {each.__name__: each for each in (NonFiniteLoss, GpuExhausted)}


class RankFailed(RuntimeError):
    """A process of a trial raised what its name and text say."""


def train_distributed(
    processes: int,
    training_config: TrainingConfig,
    data: EncodedCorpus,
    *,
    model: str,
    train_on: str,
    seed: int,
    report: Report,
    objective: Objective | None = None,
    keep: Keep = lambda measurement: None,
    state: Path | None = None,
) -> None:
    """As `hpo.training.trainer.train`, in so many processes of this machine, each with a part of each batch.

    Steps, batches, loss and gradient are those of one process, but for rounding and what dropout draws. The
    processes stay for the next trial, since they take seconds to start; where one dies or raises, all end.

    Raises
    ------
    NonFiniteLoss
        as `train`.
    GpuExhausted
        if a process ran out of its GPU's memory.
    TrialLost
        if a process died.
    RankFailed
        if one raised anything else.
    """
    task = {
        "training_config": training_config.model_dump(mode="json", exclude_unset=True),
        "corpus": str(data.folder),
        "model": model,
        "train_on": train_on,
        "seed": seed,
        "objective": asdict(objective) if objective else None,
        "state": str(state) if state else None,
    }
    worker_pool(processes).train(task, report, keep)


@lru_cache(maxsize=1)
def worker_pool(size: int) -> WorkerPool:
    return WorkerPool(size)


def _environment(size: int) -> dict[str, str]:
    """What the processes find around them: their share of the threads, and this very package."""
    threads = str(max(1, int(os.environ.get("OMP_NUM_THREADS", "1")) // size))
    own = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONPATH": child_pythonpath(),
    }
    # Else PyTorch says of every trial that none of its weights go unused.
    return {"TORCH_CPP_LOG_LEVEL": "ERROR"} | os.environ | own


class WorkerProcess:
    """One of the processes, and the line to it."""

    def __init__(self, rank: int, size: int, meeting: Path) -> None:
        self.rank = rank
        ours, theirs = socket.socketpair()
        with theirs:
            words = [str(each) for each in (theirs.fileno(), rank, size, meeting)]
            # By multiprocessing a start would import the program that runs here, which may be Ray's.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hpo.training.ddp.worker", *words],
                pass_fds=[theirs.fileno()],
                env=_environment(size),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the terminal is for this process to hear
            )
        self.line = Connection(ours.detach())

    def tell(self, message: dict[str, Any]) -> None:
        self.line.send_bytes(json.dumps(message).encode())

    def hear(self) -> dict[str, Any]:
        return dict(json.loads(self.line.recv_bytes()))

    def exit_reason(self, size: int) -> str:
        code = self.process.wait(timeout=GRACE_S)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"process {self.rank + 1} of the trial's {size} {how}"


class WorkerPool:
    """The processes of one trial after another; they end with this process, however that ends."""

    def __init__(self, size: int) -> None:
        self._meeting = tempfile.TemporaryDirectory(prefix="hpo-crew-")
        self.members = [
            WorkerProcess(rank, size, Path(self._meeting.name) / "meeting") for rank in range(size)
        ]

    def train(self, task: dict[str, Any], report: Report, keep: Keep) -> None:
        """Train one trial, as `train_distributed`."""
        try:
            stopped = self._converse(task, report, keep)
        except BaseException:
            self.dismiss()
            raise
        if stopped:
            raise stopped

    def dismiss(self) -> None:
        """End all of them at once; the next trial starts others."""
        worker_pool.cache_clear()
        for member in self.members:
            member.process.kill()
        for member in self.members:
            member.process.wait()
            member.line.close()
        self._meeting.cleanup()

    def _converse(self, task: dict[str, Any], report: Report, keep: Keep) -> BaseException | None:
        """Give the task out and answer until all are done; what ``report`` raised comes back after that."""
        busy = {member.line: member for member in self.members}
        stopped: BaseException | None = None
        try:
            for member in self.members:
                member.tell(task)
            while busy:
                ready = wait(list(busy), LAST_S if stopped else None)
                if not ready and stopped:
                    raise stopped
                for line in ready:
                    assert isinstance(line, Connection)
                    said = busy[line].hear()
                    if "measurement" in said:
                        continues = False
                        try:
                            continues = not stopped and report(Measurement(**said["measurement"]))
                        except BaseException as stop:  # so Ray ends the thread of a trial that it stops
                            stopped = stop
                        busy[line].tell({"go_on": continues})
                    elif "best" in said:
                        folder = keep(Measurement(**said["best"]))
                        busy[line].tell({"folder": str(folder) if folder else None})
                    elif "failure" in said:
                        raise self._cause(said["kind"], said["failure"])
                    else:
                        del busy[line]
        except (EOFError, ConnectionError, BrokenPipeError):
            raise self._loss() from None
        return stopped

    def _cause(self, kind: str, text: str) -> RuntimeError:
        """Why a process failed: by itself, or because another died."""
        if any(member.process.poll() is not None for member in self.members) or self._dead_soon():
            return self._loss()
        return _KNOWN[kind](text) if kind in _KNOWN else RankFailed(f"{kind}: {text}")

    def _dead_soon(self) -> bool:
        for member in self.members:
            try:
                member.process.wait(timeout=GRACE_S / len(self.members))
            except subprocess.TimeoutExpired:
                continue
            return True
        return False

    def _loss(self) -> WorkerDied:
        dead = [member for member in self.members if member.process.poll() is not None]
        if not dead and not self._dead_soon():
            return WorkerDied(f"a process of the trial's {len(self.members)} hung up")
        dead = [member for member in self.members if member.process.poll() is not None]
        return WorkerDied(dead[0].exit_reason(len(self.members)))
