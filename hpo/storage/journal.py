"""Append-only JSON lines files that survive a process killed in the middle of a write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpo.errors import Issue, UserError
from hpo.storage.atomic import json_line, sync


class Journal:
    """A JSON lines file open for appending; opening it removes an incomplete last line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        length = _complete_bytes(path)
        self._file = path.open("ab")
        self._file.truncate(length)

    def append(self, line: dict[str, Any], *, durable: bool = False) -> None:
        """Append a line; ``durable`` also syncs it to disk, so that it survives a machine failure."""
        self._file.write(json_line(line).encode())
        self._file.flush()
        if durable:
            sync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _complete_bytes(path: Path) -> int:
    """Return the number of bytes up to the end of the last complete line."""
    return path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Parse the complete lines of a journal; a missing file has none.

    Raises
    ------
    UserError
        If a line is not valid JSON.
    """
    if path.exists():
        for number, line in enumerate(path.read_bytes()[: _complete_bytes(path)].splitlines(), 1):
            try:
                parsed = json.loads(line)
            except ValueError as error:
                raise UserError(Issue(f"{path}:{number}", "is not valid JSON", str(error))) from None
            yield parsed
