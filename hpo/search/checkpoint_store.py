"""Where the state of running trials stands: in memory while they run, on disk once it must last.

A trial leaves its whole state behind at every evaluation, so that the death of a driver or a worker costs
no more than what came after. On disk that is by far the most that a search writes, and nearly all of it is
never read. In a file system in memory it outlives every process; the disk gets a model when its trial has
ended among the best, and the state of a running trial every few minutes and when the search is stopped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import Study
from hpo.environment import available_memory_bytes
from hpo.storage.atomic import copy_folder, link_folder, write_text
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import read_snapshot

MEMORY = Path("/dev/shm")
SHARE_OF_MEMORY = 0.25
"""Of the memory that is free when a search starts, what the state of its trials may take."""
SAVED_EVERY_S = 300.0
"""How much of a running trial the death of the machine may cost."""
STUDY = "study"
"""The file in a live folder that says whose it is."""
_COPIES = 2
"""A new state stands beside the old one until it is whole."""


def use_memory_scratch(folder: StudyFolder, state_bytes: int, memory: Path = MEMORY) -> StudyFolder:
    """The study's folder with the state of running trials in memory, if there is room for it there.

    ``state_bytes`` is what all trials that live at once leave behind: weights, moments and best model.
    """
    _sweep(memory)
    if found := _stored(folder):
        return folder.with_scratch(found)
    if not memory.is_dir() or _COPIES * state_bytes > SHARE_OF_MEMORY * _free_bytes(memory):
        return folder
    live = _ours(memory) / f"{folder.name}-{secrets.token_hex(4)}"
    write_text(folder.scratch_marker, str(live))
    live.mkdir(parents=True, mode=0o700)
    write_text(live / STUDY, str(folder.path.resolve()))  # last: it is what makes another sweep it away
    return folder.with_scratch(live)


def max_live_snapshots(study: Study, workers: int) -> int:
    """The most trials that can have a state to go on from at one time."""
    algorithm = ALGORITHMS[study.algorithm]
    if algorithm.population:
        return max(workers, study.population_size)
    return study.trials if algorithm.scheduler == "hyperband" else workers


def _ours(memory: Path) -> Path:
    return memory / f"hpo-{os.getuid()}"


def _free_bytes(memory: Path) -> int:
    return min(shutil.disk_usage(memory).free, available_memory_bytes())


def _stored(folder: StudyFolder) -> Path | None:
    """Where the study's state stands in this machine's memory, from a driver before."""
    try:
        live = Path(folder.scratch_marker.read_text(encoding="utf-8"))
        owner = (live / STUDY).stat().st_uid
    except OSError:
        return None
    return live if owner == os.getuid() else None


def _sweep(memory: Path) -> None:
    """Free the memory of studies that were deleted, or that went on elsewhere."""
    for live in _ours(memory).glob("*/"):
        try:
            study = Path((live / STUDY).read_text(encoding="utf-8"))
        except OSError:
            continue  # it is just being made, or holds nothing
        marker = study / StudyFolder.SCRATCH_MARKER
        if not marker.exists() or marker.read_text(encoding="utf-8") != str(live):
            shutil.rmtree(live, ignore_errors=True)


class CheckpointStore:
    """Carries models and states between memory and disk, in the order asked for, off the caller's thread.

    Where the folder's live state stands on disk already, there is nothing to carry, and what is dropped is
    dropped at once.
    """

    def __init__(self, folder: StudyFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._saved_at: dict[int, float] = {}
        self._pool = ThreadPoolExecutor(1) if folder.has_separate_scratch else None
        self._pending: list[Future[object]] = []

    def bring_back(self, trials: Iterable[int]) -> None:
        """Have the states of some trials in memory again, where those on disk are newer."""
        for number in trials if self._pool else ():
            stored, live = self._folder.persisted_snapshot(number), self._folder.snapshot(number)
            on_disk, in_place = read_snapshot(stored), read_snapshot(live)
            if on_disk and (in_place is None or in_place.last.step < on_disk.last.step):
                copy_folder(stored, live)
                if self._folder.checkpoint(number).exists():
                    copy_folder(self._folder.checkpoint(number), self._folder.candidate(number))

    def keep(self, number: int) -> None:
        """Have the model of a trial that ended among the best on disk."""
        if self._pool and self._folder.candidate(number).exists():
            self._submit(self._keep, number)

    def drop(self, number: int) -> None:
        """Have a trial's model no more."""
        self._submit(self._drop, number)

    def forget(self, number: int) -> None:
        """Have the state of a trial no more."""
        shutil.rmtree(self._folder.snapshot(number), ignore_errors=True)
        if self._folder.persisted_snapshot(number).exists() or number in self._saved_at:
            self._submit(shutil.rmtree, self._folder.persisted_snapshot(number), True)

    def save(self, number: int) -> None:
        """Have a running trial's state on disk, if it was not saved for some minutes."""
        now = self._clock()
        if self._pool and now - self._saved_at.setdefault(number, now) >= SAVED_EVERY_S:
            self._saved_at[number] = now
            self._submit(self._save, number)

    def close(self, unfinished: Iterable[int] = ()) -> None:
        """Have the state of unfinished trials on disk, and wait for all that was asked for.

        Raises
        ------
        OSError
            if something could not be written.
        """
        for number in unfinished if self._pool else ():
            self._submit(self._save, number)
        if self._pool:
            self._pool.shutdown(wait=True)
        for future in self._pending:
            future.result()

    def free(self) -> None:
        """Give memory and disk back, once the study has no more use for the states of its trials."""
        shutil.rmtree(self._folder.snapshots, ignore_errors=True)
        if self._folder.has_separate_scratch:
            shutil.rmtree(self._folder.persisted_snapshots, ignore_errors=True)
            shutil.rmtree(self._folder.scratch, ignore_errors=True)
            self._folder.scratch_marker.unlink(missing_ok=True)

    def _submit(self, task: Callable[..., object], *arguments: object) -> None:
        if not self._pool:
            task(*arguments)
            return
        self._pending = [each for each in self._pending if not each.done() or each.exception()]
        self._pending.append(self._pool.submit(task, *arguments))

    def _keep(self, number: int) -> None:
        candidate = self._folder.candidate(number)
        if candidate.exists():
            copy_folder(candidate, self._folder.checkpoint(number))
            shutil.rmtree(candidate)

    def _drop(self, number: int) -> None:
        for place in {self._folder.candidate(number), self._folder.checkpoint(number)}:
            shutil.rmtree(place, ignore_errors=True)

    def _save(self, number: int) -> None:
        """Copy what its trial may replace meanwhile: linked first, so that it stays whole."""
        held = self._folder.scratch / f".{number}.held"
        if link_folder(self._folder.snapshot(number), held / "snapshot"):
            # Linked after the state, the model is never older; written before it, it is never missing.
            if link_folder(self._folder.candidate(number), held / "candidate"):
                copy_folder(held / "candidate", self._folder.checkpoint(number))
            copy_folder(held / "snapshot", self._folder.persisted_snapshot(number))
        shutil.rmtree(held, ignore_errors=True)
