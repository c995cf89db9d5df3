"""Log files that may not be there yet, and may still grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_EVERY_S = 0.5
ASK_EVERY_S = 5.0
"""How often a file is looked at, and its writer asked for, which may be a question to a busy server."""


def follow_file(path: Path, is_live: Callable[[], bool]) -> Iterator[str]:
    """A file's text in pieces, up to its end as it stands when its writer is asked for and not live."""
    offset, asked = 0, float("-inf")
    live = True
    while True:
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                piece = file.read()
            if piece:
                offset += len(piece)
                yield piece.decode("utf-8", errors="replace")
        if not live:
            return
        if time.monotonic() - asked >= ASK_EVERY_S:
            live, asked = is_live(), time.monotonic()
        if live:
            time.sleep(LOOK_EVERY_S)
