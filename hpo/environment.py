"""Describe the environment of a study: package versions, commit and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "ray",
    "optuna",
    "hyperopt",
    "transformers",
    "torch",
    "datasets",
    "seqeval",
    "tokenizers",
    "numpy",
)


def describe_environment() -> dict[str, Any]:
    """Return the versions of Python and of the packages that affect results, the commit, and the machine."""
    return {
        "versions": {"hpo": _version("hpo-ner"), "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "platform": platform.platform(),
        "cores": available_cores(),
        "gpus": gpu_names(),
    }


def available_cores() -> int:
    """Return the number of CPU cores that this process may use, at most those of its SLURM job."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allocated = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return max(1, min(cores, int(allocated))) if allocated.isdigit() else cores


def available_memory_bytes() -> int:
    """Return the memory that this process can still allocate, limited by the machine and its cgroups."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = [int(lines["MemAvailable"].split()[0]) * 1024]
    for group in _control_groups():
        with suppress(OSError, ValueError):  # a limit of "max" means no limit
            limit, used = (int((group / f"memory.{what}").read_text()) for what in ("max", "current"))
            free.append(limit - used)
    return max(0, min(free))


def _control_groups() -> list[Path]:
    """Return the cgroup of this process and its ancestors, on systems with cgroups v2."""
    root = Path("/sys/fs/cgroup")
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                group = Path(line.removeprefix("0::/"))
                return [root / group, *(root / parent for parent in group.parents)]
    return [root]


def child_pythonpath() -> str:
    """Return the ``PYTHONPATH`` with which child processes can import this package, installed or not."""
    package = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))


def gpu_names() -> list[str]:
    """Return the names of the GPUs that torch can use."""
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the checked-out commit, with ``-dirty`` if files have changed; empty outside a checkout."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
