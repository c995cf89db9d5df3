"""Append-only files of JSON lines that survive a process killed while it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpo.errors import Issue, UserError
from hpo.storage.atomic import json_line, sync


class Journal:
    """A file of JSON lines that only grows; a line that a killed process left half-written is cut off."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = _whole_lines(path)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def append(self, line: dict[str, Any], *, durable: bool = False) -> None:
        """Add a line; ``durable`` also waits until the disk has it, against the machine's own death."""
        self._file.write(json_line(line).encode())
        self._file.flush()
        if durable:
            sync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole_lines(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    return path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal, parsed.

    Raises
    ------
    UserError
        if one is not JSON.
    """
    if path.exists():
        for number, line in enumerate(path.read_bytes()[: _whole_lines(path)].splitlines(), 1):
            try:
                parsed = json.loads(line)
            except ValueError as error:
                raise UserError(Issue(f"{path}:{number}", "is not valid JSON", str(error))) from None
            yield parsed
