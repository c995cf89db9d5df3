"""What a study ran on: versions, commit, machine."""

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
    """Versions of Python and the packages that decide a result, the commit of this project, the machine."""
    return {
        "versions": {"hpo": _version("hpo-ner"), "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "platform": platform.platform(),
        "cores": available_cores(),
        "gpus": gpu_names(),
    }


def available_cores() -> int:
    """CPU cores that this process may use, under SLURM no more than its job has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allotted = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return max(1, min(cores, int(allotted))) if allotted.isdigit() else cores


def available_memory_bytes() -> int:
    """Memory that this process may still take, by the machine and by the control groups that it is in."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = [int(lines["MemAvailable"].split()[0]) * 1024]
    for group in _control_groups():
        with suppress(OSError, ValueError):  # "max" is no number, and means no limit
            limit, used = (int((group / f"memory.{what}").read_text()) for what in ("max", "current"))
            free.append(limit - used)
    return max(0, min(free))


def _control_groups() -> list[Path]:
    """The control group of this process and those around it, where the system has cgroups v2."""
    root = Path("/sys/fs/cgroup")
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                own = Path(line.removeprefix("0::/"))
                return [root / own, *(root / around for around in own.parents)]
    return [root]


def child_pythonpath() -> str:
    """The ``PYTHONPATH`` under which a child process imports this package, installed or not."""
    package = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))


def gpu_names() -> list[str]:
    """The GPUs that torch can use, by name."""
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The checked-out commit, marked where files were changed since; empty outside a checkout."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
