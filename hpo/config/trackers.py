"""The trackers that a study may name, and what each needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from hpo.errors import Issue, UserError


@dataclass(frozen=True)
class TrackerRequirements:
    """What a tracker needs: a module, the extra of this project that brings it, and perhaps a target."""

    module: str
    extra: str | None
    target: str | None
    """What may stand behind a colon after its name, if anything may."""


TRACKERS: Mapping[str, TrackerRequirements] = {
    "tensorboard": TrackerRequirements("tensorboardX", None, None),
    "mlflow": TrackerRequirements("mlflow", "mlflow", "a tracking URI"),
    "wandb": TrackerRequirements("wandb", "wandb", "a project"),
}


def take_apart(tracker: str) -> tuple[str, str]:
    """A tracker's name and its target, "" where none is told: ``mlflow:sqlite:///runs.db`` has one.

    Raises
    ------
    ValueError
        if there is no such tracker, or it takes no target.
    """
    name, colon, target = tracker.partition(":")
    if name not in TRACKERS:
        raise ValueError(f"must be among {', '.join(TRACKERS)}")
    if colon and TRACKERS[name].target is None:
        raise ValueError(f"{name} takes nothing behind its name")
    if colon and not target:
        raise ValueError(f"{name}: names no target; write {TRACKERS[name].target} behind the colon")
    return name, target


NO_TRACKER = "none"


def given_trackers(text: str | None) -> tuple[str, ...] | None:
    """The trackers that an option names, parted by commas; () for ``none``, None where it was not given."""
    if not text:
        return None
    return () if text.strip() == NO_TRACKER else tuple(each.strip() for each in text.split(","))


def refuse_absent(trackers: Iterable[str]) -> None:
    """Refuse trackers whose library is not installed.

    Raises
    ------
    UserError
        with each of them, and what to install.
    """
    issues = []
    for tracker in trackers:
        name, _ = take_apart(tracker)
        if find_spec(TRACKERS[name].module) is None:
            command = f".venv/bin/pip install -c constraints.txt -e '.[{TRACKERS[name].extra}]'"
            hint = f"install it: {command}; or take it out of the study's trackers"
            issues.append(Issue("trackers", "is not installed", name, hint))
    if issues:
        raise UserError(issues)
