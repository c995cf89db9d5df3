"""Files and folders that are written whole or not at all: written beside, synced, renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_unsynced: ContextVar[bool] = ContextVar("_unsynced", default=False)


@contextmanager
def without_sync() -> Iterator[None]:
    """Write without waiting for the disk: for a search that is simulated and leaves nothing behind."""
    before = _unsynced.set(True)
    try:
        yield
    finally:
        _unsynced.reset(before)


def sync(descriptor: int) -> None:
    if not _unsynced.get():
        os.fsync(descriptor)


def write_text(path: Path, text: str) -> None:
    """Put a text in place of a file: written beside it, synced, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            sync(file.fileno())
            os.chmod(file.name, 0o644)  # noqa: PTH101 - a temporary file is private, a result is not
            os.replace(file.name, path)  # noqa: PTH105
        except BaseException:
            os.unlink(file.name)  # noqa: PTH108
            raise


def write_json(path: Path, value: Any) -> None:
    """As `write_text`, of a value that JSON can hold."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """As `write_text`, of JSON lines."""
    write_text(path, "".join(json_line(line) for line in lines))


def json_line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


def link_folder(source: Path, target: Path) -> bool:
    """Put a folder in place of another without copying its bytes; False if the source is not there.

    The files are linked, where the file system can: neither side is ever written to in place, only replaced.
    """
    try:
        _duplicate(source, target, _link)
    except OSError:
        return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Put a copy of a folder that nobody changes in place of another, on whatever disk.

    Raises
    ------
    OSError
        if it cannot be read or written; the target stays as it was.
    """
    _duplicate(source, target, shutil.copyfile)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _duplicate(source: Path, target: Path, duplicate: Callable[[str, str], object]) -> None:
    fresh = target.with_name(f".{target.name}.copy")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, fresh, copy_function=duplicate)
    except OSError:  # shutil.Error is one
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
