"""Folders of derived data, found again by the hash of what they were made from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hpo.storage.study_folder import ROOT


def cached(key: str, fill: Callable[[Path], object], root: Path = ROOT) -> Path:
    """The folder of derived data under a key, filled by ``fill`` if it is not there yet."""
    folder = root / ".cache" / key
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder.parent))
        try:
            fill(fresh)
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was first, with the same content
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder
