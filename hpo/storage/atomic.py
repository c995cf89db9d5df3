"""Atomic replacement of files and folders: readers see the old content or the new, never a part of it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_sync_disabled: ContextVar[bool] = ContextVar("_sync_disabled", default=False)


@contextmanager
def without_sync() -> Iterator[None]:
    """Skip `fsync` in this block, for simulated searches whose files are deleted afterwards."""
    token = _sync_disabled.set(True)
    try:
        yield
    finally:
        _sync_disabled.reset(token)


def sync(descriptor: int) -> None:
    """Flush a file to disk, unless `without_sync` is in force."""
    if not _sync_disabled.get():
        os.fsync(descriptor)


@contextmanager
def atomic_replace(target: Path, *, keep_existing: bool = False) -> Iterator[Path]:
    """Yield a hidden path beside ``target`` for a new file or folder, and move it there when the block ends.

    If the block raises, the new content is deleted and ``target`` stays as it was. With
    ``keep_existing``, a folder that another process has put there in the meantime is kept instead.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        yield fresh
        _move(fresh, target, keep_existing)
    finally:
        if fresh.is_dir():
            shutil.rmtree(fresh)
        else:
            fresh.unlink(missing_ok=True)


def _move(fresh: Path, target: Path, keep_existing: bool) -> None:
    try:
        fresh.replace(target)
    except OSError:  # a folder cannot replace a folder with content
        if not (target.is_dir() and fresh.is_dir()):
            raise
        if not keep_existing:
            old = fresh.with_name(f"{fresh.name}.old")
            target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old)


def write_text(path: Path, text: str) -> None:
    """Replace a file with this text, synced to disk."""
    with atomic_replace(path) as fresh:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            sync(file.fileno())
        fresh.chmod(0o644)


def write_json(path: Path, value: Any) -> None:
    """Replace a file with this value as indented JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Replace a file with these objects as JSON lines."""
    write_text(path, "".join(json_line(line) for line in lines))


def json_line(value: dict[str, Any]) -> str:
    """Format an object as one line of compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def link_folder(source: Path, target: Path) -> bool:
    """Replace a folder with hard links to the files of another; return False if the source cannot be read.

    Files are copied where the file system has no hard links. Linked files must never be modified in place.
    """
    try:
        _duplicate(source, target, _link)
    except OSError:
        return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Replace a folder with a copy of another, which must not change meanwhile.

    Raises
    ------
    OSError
        If the source cannot be read or the copy cannot be written; the target stays as it was.
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
    with atomic_replace(target) as fresh:
        shutil.copytree(source, fresh, copy_function=duplicate)
