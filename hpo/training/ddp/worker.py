"""One of the processes that train a trial together; `hpo.training.ddp.launcher` starts it.

It is told its rank by its arguments, trains what it is told to over a socket, one trial after another, and
ends when the socket does.
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

PATIENCE_S = 1800
"""How long one process waits for another: while the first measures, reports and writes, the rest do."""


class _Line:
    """The socket to the process that started this one, which ends this one when it has ended itself."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._heard: SimpleQueue[dict[str, Any]] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._heard.put(json.loads(self._connection.recv_bytes()))
            except (EOFError, OSError):
                os._exit(0)  # in the middle of a step, where it may be waiting for a process that is gone

    def hear(self) -> dict[str, Any]:
        return self._heard.get()

    def tell(self, message: dict[str, Any]) -> None:
        self._connection.send_bytes(json.dumps(message).encode())

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.tell(message)
        return self.hear()


def main(descriptor: int, rank: int, size: int, meeting: str) -> None:
    """Train what comes over a socket, as one of so many processes that meet at a file."""
    line = _Line(descriptor)
    # By these Accelerate knows that it is not alone.
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    import torch

    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(rank)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.distributed.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=PATIENCE_S),
    )
    while True:
        task = line.hear()
        try:
            _train(task, line)
        except Exception as error:
            # It stays until it is ended, so that no other fails for want of it and is taken for the cause.
            line.tell({"failure": str(error).strip(), "kind": type(error).__name__})
            threading.Event().wait()
        line.tell({"done": True})


def _train(task: dict[str, Any], line: _Line) -> None:
    from hpo.config.objective import Objective
    from hpo.config.training_config import TrainingConfig
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.training.gpu_memory import limit_gpu_memory
    from hpo.training.measurement import Measurement
    from hpo.training.trainer import train

    def report(measurement: Measurement) -> bool:
        return bool(line.ask({"measurement": measurement.to_json()})["go_on"])

    def keep(measurement: Measurement) -> Path | None:
        folder = line.ask({"best": measurement.to_json()})["folder"]
        return Path(folder) if folder else None

    objective = task["objective"]
    training_config = TrainingConfig.model_validate(task["training_config"])
    with limit_gpu_memory(training_config, 1):
        train(
            training_config,
            EncodedCorpus.open(Path(task["corpus"])),
            model=task["model"],
            train_on=task["train_on"],
            seed=task["seed"],
            report=report,
            objective=objective and Objective(objective["reduction"], tuple(objective["variants"])),
            keep=keep,
            state=Path(task["state"]) if task["state"] else None,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
