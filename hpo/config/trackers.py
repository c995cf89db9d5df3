"""Experiment trackers that a study can use, and the packages that they require."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from hpo.errors import Issue, UserError


@dataclass(frozen=True)
class TrackerRequirements:
    """The module of a tracker, the extra of this project that installs it, and its kind of target."""

    module: str
    extra: str | None
    target: str | None
    """What can follow the name after a colon; None if nothing can."""


TRACKERS: Mapping[str, TrackerRequirements] = {
    "tensorboard": TrackerRequirements("tensorboardX", None, None),
    "mlflow": TrackerRequirements("mlflow", "mlflow", "a tracking URI"),
    "wandb": TrackerRequirements("wandb", "wandb", "a project"),
}


def parse_tracker(tracker: str) -> tuple[str, str]:
    """Split ``NAME`` or ``NAME:TARGET`` into name and target, "" without a target.

    ``mlflow:sqlite:///runs.db`` has the target ``sqlite:///runs.db``.

    Raises
    ------
    ValueError
        If the tracker is unknown, or its target is missing or not supported.
    """
    name, colon, target = tracker.partition(":")
    if name not in TRACKERS:
        raise ValueError(f"must be one of {', '.join(TRACKERS)}")
    if colon and TRACKERS[name].target is None:
        raise ValueError(f"{name} has no target; remove the colon")
    if colon and not target:
        raise ValueError(f"{name} needs {TRACKERS[name].target} after the colon")
    return name, target


def require_installed(trackers: Iterable[str]) -> None:
    """Check that the packages of trackers are installed.

    Raises
    ------
    UserError
        If packages are missing; the error lists every such tracker and the command that installs it.
    """
    issues = []
    for tracker in trackers:
        name, _ = parse_tracker(tracker)
        if find_spec(TRACKERS[name].module) is None:
            command = f".venv/bin/pip install -c constraints.txt -e '.[{TRACKERS[name].extra}]'"
            hint = f"install it: {command}; or remove it from trackers"
            issues.append(Issue("trackers", "is not installed", name, hint))
    if issues:
        raise UserError(issues)
