"""Describes the machine on which a figure is measured, and its load at the start."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpo.environment import describe_environment


def describe_machine() -> dict[str, Any]:
    """Return `describe_environment` with the processor, the current time, and the load average."""
    environment = describe_environment()
    environment["versions"] |= {name: version(name) for name in ("accelerate", "pyarrow")}
    return environment | {
        "processor": _processor(),
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine()
    )
