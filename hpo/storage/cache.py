"""A cache of derived data: folders named by the hash of their inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hpo.storage.atomic import atomic_replace
from hpo.storage.study_folder import ROOT


def cached_folder(key: str, fill: Callable[[Path], object], root: Path = ROOT) -> Path:
    """Return the folder cached under a key; if it does not exist, call ``fill`` with a new empty folder.

    If several processes fill the same key, the first one to finish wins.
    """
    folder = root / ".cache" / key
    if not folder.exists():
        with atomic_replace(folder, keep_existing=True) as fresh:
            fresh.mkdir()
            fill(fresh)
    return folder
