"""Reads log files that may not exist yet and may still grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

READ_INTERVAL_S = 0.5
STATUS_INTERVAL_S = 5.0
"""Seconds between questions whether the job is active, which may be a request to a busy server."""


def follow_file(path: Path, is_active: Callable[[], bool]) -> Iterator[str]:
    """Yield the text of a file in pieces until its writer is no longer active and all of it is read."""
    offset, asked = 0, float("-inf")
    active = True
    while True:
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                piece = file.read()
            if piece:
                offset += len(piece)
                yield piece.decode("utf-8", errors="replace")
        if not active:
            return
        if time.monotonic() - asked >= STATUS_INTERVAL_S:
            active, asked = is_active(), time.monotonic()
        if active:
            time.sleep(READ_INTERVAL_S)
