"""A worker process of a distributed trial; `hpo.training.ddp.launcher` starts one per rank.

A worker receives its rank as an argument and training tasks over a socket, runs one task after another,
and exits when the socket closes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

COLLECTIVE_TIMEOUT_S = 1800
"""How long a collective operation waits: the other ranks wait while rank 0 evaluates, reports and writes."""


class LauncherConnection:
    """The socket to the launcher; this process exits when the socket closes."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._received: SimpleQueue[dict[str, Any]] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._received.put(json.loads(self._connection.recv_bytes()))
            except (EOFError, OSError):
                os._exit(0)  # the main thread may be blocked in a collective operation

    def receive(self) -> dict[str, Any]:
        return self._received.get()

    def send(self, message: dict[str, Any]) -> None:
        self._connection.send_bytes(json.dumps(message).encode())

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        return self.receive()


def main(descriptor: int, rank: int, world_size: int, rendezvous_file: str) -> None:
    """Join the process group of a rendezvous file, then run the tasks that arrive over the socket."""
    launcher = LauncherConnection(descriptor)
    # Accelerate detects a distributed run by these variables.
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_WORLD_SIZE": str(world_size),
    }
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    import torch

    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(rank)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.distributed.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=f"file://{rendezvous_file}",
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_S),
    )
    while True:
        task = launcher.receive()
        try:
            _train(task, launcher)
        except Exception as error:
            # Wait to be killed: an exit would make the other ranks fail and hide the cause.
            launcher.send({"failure": str(error).strip(), "kind": type(error).__name__})
            threading.Event().wait()
        launcher.send({"done": True})


def _train(message: dict[str, Any], launcher: LauncherConnection) -> None:
    from hpo.training.gpu_memory import limit_gpu_memory
    from hpo.training.measurement import Measurement
    from hpo.training.task import TrainingCallbacks, TrainingTask
    from hpo.training.trainer import train

    def report(measurement: Measurement) -> bool:
        return bool(launcher.request({"measurement": measurement.to_json()})["continue"])

    def on_new_best(measurement: Measurement) -> Path | None:
        folder = launcher.request({"new_best": measurement.to_json()})["folder"]
        return Path(folder) if folder else None

    task = TrainingTask.from_json(message)
    with limit_gpu_memory(task.training_config, 1):
        train(task, TrainingCallbacks(report, on_new_best))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
