"""An arm in a process of its own, and what it and all its descendants write.

Bytes written are ``write_bytes`` of ``/proc/*/task/*/io``: pages that a thread has dirtied in files on a
disk. ``wchar`` would also count pipes and sockets, over which Ray moves all its messages, and shared memory;
``/proc/*/io`` holds what ended children wrote too, but only where they were waited for. A folder that is only
looked at misses what was written and deleted in between, so it gives the peak alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.errors import EXIT_FAILED, Issue, UserError

POLL_S = 0.1
SHARED_MEMORY = Path("/dev/shm")
RAY, OUTPUT, TEMPORARY = "r", "o", "t"
"""Folders of an arm: Ray's session, its own files, temporary ones; short, as sockets stand in the first."""


PROFILE_VARIABLE = "HPO_BENCH_PROFILE"
PY_SPY_OPTIONS = ("record", "--format", "raw", "--rate", "50", "--nonblocking")


class ContestantFailed(UserError):
    """An arm ended without a result."""

    exit_code = EXIT_FAILED


@dataclass
class Usage:
    """What an arm's processes wrote, in bytes, and the most that lay in its folders at once."""

    written: int = 0
    peak_files: int = 0
    peak_session: int = 0
    peak_shared_memory: int = 0
    _last: dict[tuple[int, str, str], int] = field(default_factory=dict, repr=False)

    def look(self, root: int, folder: Path, shared_before: int) -> None:
        """Take the state of a process tree and its folder in."""
        for pid in (root, *descendants(root)):
            self._last.update(_written(pid))
        self.written = sum(self._last.values())
        files = disk_bytes(folder / OUTPUT) + disk_bytes(folder / TEMPORARY)
        self.peak_files = max(self.peak_files, files)
        self.peak_session = max(self.peak_session, disk_bytes(folder / RAY))
        self.peak_shared_memory = max(self.peak_shared_memory, _shared_memory() - shared_before)


def descendants(root: int) -> list[int]:
    """The processes under one, as they stand now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    found, todo = [], [root]
    while todo:
        parent = todo.pop()
        children = [pid for pid, above in parents.items() if above == parent]
        found += children
        todo += children
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` after the name, which may hold anything."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
        )
    except (OSError, IndexError):
        return None


def _written(pid: int) -> Iterator[tuple[tuple[int, str, str], int]]:
    """Bytes written so far by each thread; a process is told from a later one of its number by its start."""
    stat = _stat(pid)
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir()) if stat else []
    except OSError:
        return
    for thread in threads:
        try:
            io = (thread / "io").read_text(encoding="ascii")
        except OSError:
            continue
        number = next(line for line in io.splitlines() if line.startswith("write_bytes"))
        yield (pid, stat[19] if stat else "", thread.name), int(number.split(": ")[1])


def resident_bytes() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def disk_bytes(folder: Path) -> int:
    """Bytes that the files under a folder take on the disk; those with several names count once."""
    seen: dict[tuple[int, int], int] = {}
    todo = [str(folder)]
    while todo:
        try:
            entries = list(os.scandir(todo.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    facts = entry.stat(follow_symlinks=False)
                    seen[(facts.st_dev, facts.st_ino)] = facts.st_blocks * 512
            except OSError:
                continue
    return sum(seen.values())


def _shared_memory() -> int:
    if not SHARED_MEMORY.is_dir():
        return 0
    facts = os.statvfs(SHARED_MEMORY)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


@contextmanager
def track_usage(root: int, folder: Path) -> Iterator[Usage]:
    """Look at a process tree and its folder until the block ends.

    What a thread writes in its last `POLL_S` seconds is missed.
    """
    usage, before, stop = Usage(), _shared_memory(), threading.Event()

    def poll() -> None:
        while not stop.wait(POLL_S):
            usage.look(root, folder, before)

    thread = threading.Thread(target=poll, daemon=True)
    usage.look(root, folder, before)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()


@contextmanager
def _own_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    for name in (RAY, OUTPUT, TEMPORARY):
        (folder / name).mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_contestant(
    name: str, spec: Mapping[str, Any], *, threads: int = 1, disk: bool = False, profile: Path | None = None
) -> dict[str, Any]:
    """Run a contestant in a fresh process and folder, and return what it measured.

    ``disk`` adds a `Usage` under ``"usage"``; it is left out elsewhere, since looking takes some of a core.
    ``profile`` is a file to which py-spy writes the stacks of the arm, those of each worker beside it.

    Raises
    ------
    ArmFailed
        if it ended without a result, with the last lines that it wrote.
    """
    with _own_folder() as folder:
        (folder / "spec.json").write_text(json.dumps(dict(spec) | {"folder": str(folder / OUTPUT)}))
        command = [sys.executable, "-m", "benchmarks.speed.contestants", name, str(folder)]
        if profile is not None:
            profile.parent.mkdir(parents=True, exist_ok=True)
            command = [_py_spy(), *PY_SPY_OPTIONS, "--output", str(profile), "--", *command]
        with (folder / "log").open("wb") as log:
            started = time.time()
            process = subprocess.Popen(
                command,
                env=environment(folder, threads)
                | {"HPO_BENCH_STARTED": repr(started)}
                | ({PROFILE_VARIABLE: str(profile)} if profile else {}),
                cwd=folder / OUTPUT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
            try:
                if disk:
                    with track_usage(process.pid, folder) as usage:
                        process.wait()
                else:
                    process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()  # Ray's workers end with their driver
                    process.wait()
        try:
            result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
            raise ContestantFailed(
                Issue(f"arm {name}", "ended without a result", None, " | ".join(last))
            ) from None
        if disk:
            result["usage"] = {key: value for key, value in vars(usage).items() if key[0] != "_"}
        return result


def environment(folder: Path, threads: int) -> dict[str, str]:
    """The same for every arm: so many threads, no network, and all files in the arm's own folder."""
    package = str(Path(__file__).resolve().parents[2])
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH")))),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_CACHE": str(folder / TEMPORARY / "datasets"),
        "TRANSFORMERS_VERBOSITY": "error",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder / RAY),
        "TMPDIR": str(folder / TEMPORARY),
    }


def profile_this_process() -> None:
    """Have py-spy record this process to its end where its arm is profiled: it loses sight of workers."""
    if target := os.environ.get(PROFILE_VARIABLE):
        output = str(Path(target).with_suffix(f".{os.getpid()}.txt"))
        command = [_py_spy(), *PY_SPY_OPTIONS, "--output", output, "--pid", str(os.getpid())]
        # It writes when the worker has ended, and Ray kills a worker's children first: so it must be none.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )


def _py_spy() -> str:
    found = shutil.which(
        "py-spy", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    )
    if found is None:
        raise UserError(Issue("--profile", "needs py-spy", None, "pip install -e '.[bench]'"))
    return found
