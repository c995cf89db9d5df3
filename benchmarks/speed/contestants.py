"""Lists the contestants by name, and runs one: ``python -m benchmarks.speed.contestants NAME FOLDER``.

A contestant is one of the programs that a figure compares. It runs in its own process, started by
`benchmarks.speed.processes.run_contestant`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""

CONTESTANTS: dict[str, str] = {
    "fixture": "benchmarks.speed.fixtures:make",
    "our search": "benchmarks.speed.our_search:run",
    "hyperparameter_search": "benchmarks.speed.peers.trainer_search:run",
    "plain loop": "benchmarks.speed.peers.plain_loop:run",
    "trainer epoch": "benchmarks.speed.peers.trainer_search:time_epoch",
    "step": "benchmarks.speed.step_figures:time_steps",
    "our padding": "benchmarks.speed.step_figures:count_padding",
    "default padding": "benchmarks.speed.peers.trainer_search:count_padding",
    "encoding": "benchmarks.speed.peers.map_encoding:run",
    "spans": "benchmarks.speed.peers.seqeval_scores:run",
    "matrix": "benchmarks.speed.peers.predictions:run",
    "our driver": "benchmarks.speed.driver_overhead:run",
    "bare tune": "benchmarks.speed.peers.bare_tune:run",
    "controller": "benchmarks.speed.driver_overhead:run_controller",
    "quality": "benchmarks.speed.step_figures:train_quality",
}
"""By name: the module and function, which maps a specification to measurements, both JSON-serializable."""


def seconds_since_start() -> float:
    """Return the seconds since the process of the contestant was requested."""
    return time.time() - float(os.environ["HPO_BENCH_STARTED"])


def main(name: str, folder: Path) -> None:
    """Run a contestant on ``spec.json`` in a folder, and write ``result.json`` beside it."""
    _end_with_parent()
    warnings.simplefilter("ignore")  # the libraries warn about each other
    spec: dict[str, Any] = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    module, function = CONTESTANTS[name].split(":")
    result = getattr(import_module(module), function)(spec)
    result["command_s"] = seconds_since_start()
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _end_with_parent() -> None:
    """Let Linux end this process if the benchmark is killed, so that it does not slow the next one down."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
