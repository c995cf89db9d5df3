"""Storage of trial snapshots and checkpoints: scratch in memory while trials run, disk for what must last.

A trial writes a snapshot (its complete training state) at every evaluation, so that a dead driver or worker
costs only the work since then. Snapshots are most of what a search writes, and few are ever read. Scratch is
therefore a folder in a memory file system, which survives every process but not the machine. The disk gets
the checkpoint of each top trial when the trial ends, and the snapshot of a running trial every few minutes
and when the search is interrupted.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo.environment import available_memory_bytes
from hpo.storage.atomic import copy_folder, link_folder, write_text
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import read_snapshot

MEMORY = Path("/dev/shm")
MAX_MEMORY_SHARE = 0.25
"""Largest share of the free memory at the start of a search that scratch may take."""
PERSIST_INTERVAL_S = 300.0
"""Most training time per running trial that the death of the machine may cost."""
OWNER_FILE = "study"
"""File in a scratch folder that holds the path of its study."""
_COPIES = 2
"""A new snapshot is complete before the previous one is deleted."""


def use_memory_scratch(folder: StudyFolder, snapshot_bytes: int, memory: Path = MEMORY) -> StudyFolder:
    """Return the study's folder with scratch in memory, or unchanged if memory is too small.

    ``snapshot_bytes`` is the total size of weights, optimizer moments and best checkpoint of all trials
    that are open at the same time. Scratch that an earlier driver left on this machine is reused.
    """
    _delete_orphans(memory)
    if existing := _existing_scratch(folder):
        return folder.with_scratch(existing)
    if not memory.is_dir() or _COPIES * snapshot_bytes > MAX_MEMORY_SHARE * _free_bytes(memory):
        return folder
    scratch = _user_folder(memory) / f"{folder.name}-{secrets.token_hex(4)}"
    write_text(folder.scratch_marker, str(scratch))
    scratch.mkdir(parents=True, mode=0o700)
    write_text(scratch / OWNER_FILE, str(folder.path.resolve()))  # last, as it lets other drivers delete it
    return folder.with_scratch(scratch)


def temporary_folder() -> TemporaryDirectory[str]:
    """Return a temporary folder, in memory where the machine has a memory file system."""
    return TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


def _user_folder(memory: Path) -> Path:
    return memory / f"hpo-{os.getuid()}"


def _free_bytes(memory: Path) -> int:
    return min(shutil.disk_usage(memory).free, available_memory_bytes())


def _existing_scratch(folder: StudyFolder) -> Path | None:
    """Return the scratch folder of an earlier driver of the study if it is on this machine and ours."""
    try:
        scratch = Path(folder.scratch_marker.read_text(encoding="utf-8"))
        owner = (scratch / OWNER_FILE).stat().st_uid
    except OSError:
        return None
    return scratch if owner == os.getuid() else None


def _delete_orphans(memory: Path) -> None:
    """Delete scratch folders of studies that were deleted or that continue on another machine."""
    for scratch in _user_folder(memory).glob("*/"):
        try:
            study = Path((scratch / OWNER_FILE).read_text(encoding="utf-8"))
        except OSError:
            continue  # being created, or empty
        marker = study / StudyFolder.SCRATCH_MARKER
        if not marker.exists() or marker.read_text(encoding="utf-8") != str(scratch):
            shutil.rmtree(scratch, ignore_errors=True)


class CheckpointStore:
    """Copies checkpoints and snapshots between scratch and disk, in call order, in a background thread.

    Without separate scratch everything is on disk already: nothing is copied, and deletions are immediate.
    """

    def __init__(self, folder: StudyFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._persisted_at: dict[int, float] = {}
        self._pool = ThreadPoolExecutor(1) if folder.has_separate_scratch else None
        self._pending: list[Future[object]] = []

    def restore_snapshots(self, trials: Iterable[int]) -> None:
        """Copy snapshots of trials from disk to scratch where the ones on disk are newer."""
        for number in trials if self._pool else ():
            persisted, scratch = self._folder.persisted_snapshot(number), self._folder.snapshot(number)
            on_disk, in_scratch = read_snapshot(persisted), read_snapshot(scratch)
            if on_disk and (in_scratch is None or in_scratch.last.step < on_disk.last.step):
                copy_folder(persisted, scratch)
                if self._folder.checkpoint(number).exists():
                    copy_folder(self._folder.checkpoint(number), self._folder.candidate(number))

    def persist_checkpoint(self, number: int) -> None:
        """Move the checkpoint of an ended trial from scratch to disk."""
        if self._pool and self._folder.candidate(number).exists():
            self._submit(self._move_checkpoint, number)

    def delete_checkpoint(self, number: int) -> None:
        """Delete a trial's checkpoint."""
        self._submit(self._remove_checkpoint, number)

    def persist_snapshot(self, number: int) -> None:
        """Copy a running trial's snapshot to disk, at most once every `PERSIST_INTERVAL_S` seconds."""
        now = self._clock()
        if self._pool and now - self._persisted_at.setdefault(number, now) >= PERSIST_INTERVAL_S:
            self._persisted_at[number] = now
            self._submit(self._copy_snapshot, number)

    def delete_snapshot(self, number: int) -> None:
        """Delete a trial's snapshot."""
        shutil.rmtree(self._folder.snapshot(number), ignore_errors=True)
        if self._folder.persisted_snapshot(number).exists() or number in self._persisted_at:
            self._submit(shutil.rmtree, self._folder.persisted_snapshot(number), True)

    def delete_snapshots(self) -> None:
        """Delete the snapshots of all trials, and the scratch folder; call it when the study is finished."""
        shutil.rmtree(self._folder.snapshots, ignore_errors=True)
        if self._folder.has_separate_scratch:
            shutil.rmtree(self._folder.persisted_snapshots, ignore_errors=True)
            shutil.rmtree(self._folder.scratch, ignore_errors=True)
            self._folder.scratch_marker.unlink(missing_ok=True)

    def close(self, open_trials: Iterable[int] = ()) -> None:
        """Copy the snapshots of open trials to disk, and wait for all pending copies.

        Raises
        ------
        OSError
            If a checkpoint or snapshot could not be written.
        """
        for number in open_trials if self._pool else ():
            self._submit(self._copy_snapshot, number)
        if self._pool:
            self._pool.shutdown(wait=True)
        self.flush()

    def flush(self) -> None:
        """Wait for all pending copies, and raise the first error among them."""
        for future in self._pending:
            future.result()

    def _submit(self, task: Callable[..., object], *arguments: object) -> None:
        if not self._pool:
            task(*arguments)
            return
        self._pending = [each for each in self._pending if not each.done() or each.exception()]
        self._pending.append(self._pool.submit(task, *arguments))

    def _move_checkpoint(self, number: int) -> None:
        candidate = self._folder.candidate(number)
        if candidate.exists():
            copy_folder(candidate, self._folder.checkpoint(number))
            shutil.rmtree(candidate)

    def _remove_checkpoint(self, number: int) -> None:
        for path in {self._folder.candidate(number), self._folder.checkpoint(number)}:
            shutil.rmtree(path, ignore_errors=True)

    def _copy_snapshot(self, number: int) -> None:
        """Copy a snapshot and its checkpoint to disk; hard links protect them from the running trial."""
        links = self._folder.scratch / f".{number}.held"
        if link_folder(self._folder.snapshot(number), links / "snapshot"):
            # Linked after the snapshot, the checkpoint is never older than it; copied to disk before the
            # snapshot, it is never missing beside it.
            if link_folder(self._folder.candidate(number), links / "candidate"):
                copy_folder(links / "candidate", self._folder.checkpoint(number))
            copy_folder(links / "snapshot", self._folder.persisted_snapshot(number))
        shutil.rmtree(links, ignore_errors=True)
