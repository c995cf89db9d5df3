"""Runs a contestant in its own process, and measures what it and all its descendants write.

Bytes written are ``write_bytes`` of ``/proc/*/task/*/io``: pages that a thread has dirtied in files on disk.
``wchar`` would also count shared memory, and the pipes and sockets that carry Ray's messages. ``/proc/*/io``
includes what ended children wrote only if their parent waited for them. The size of a folder misses files
that are deleted between two samples, so it is used for the peak only.
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

from hpo.environment import child_pythonpath
from hpo.errors import EXIT_FAILED, Issue, UserError

POLL_S = 0.1
SHARED_MEMORY = Path("/dev/shm")
RAY, OUTPUT, TEMPORARY = "r", "o", "t"
"""Folders of a contestant: Ray's session, output, temporary files; short, because of socket paths."""
PROFILE_VARIABLE = "HPO_BENCH_PROFILE"
"""Environment variable with the file for py-spy's stacks."""
PY_SPY_OPTIONS = ("record", "--format", "raw", "--rate", "50", "--nonblocking")


class ContestantFailed(UserError):
    """A contestant ended without a result."""

    exit_code = EXIT_FAILED


@dataclass
class Usage:
    """Bytes that the processes of a contestant wrote, and the peak sizes of its folders in bytes."""

    written: int = 0
    peak_files: int = 0
    peak_session: int = 0
    peak_shared_memory: int = 0
    _last: dict[tuple[int, str, str], int] = field(default_factory=dict, repr=False)

    def sample(self, root: int, folder: Path, shared_before: int) -> None:
        """Update the counts from the current state of a process tree and its folder."""
        for pid in (root, *descendants(root)):
            self._last.update(_written(pid))
        self.written = sum(self._last.values())
        files = disk_bytes(folder / OUTPUT) + disk_bytes(folder / TEMPORARY)
        self.peak_files = max(self.peak_files, files)
        self.peak_session = max(self.peak_session, disk_bytes(folder / RAY))
        self.peak_shared_memory = max(self.peak_shared_memory, _shared_memory() - shared_before)

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}


def descendants(root: int) -> list[int]:
    """Return the ids of all current descendants of a process."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    found, pending = [], [root]
    while pending:
        current = pending.pop()
        children = [pid for pid, parent in parents.items() if parent == current]
        found += children
        pending += children
    return found


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` after the name, which may contain spaces and brackets."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
        )
    except (OSError, IndexError):
        return None


def _written(pid: int) -> Iterator[tuple[tuple[int, str, str], int]]:
    """Yield the bytes written so far by each thread; the start time distinguishes reused process ids."""
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
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def disk_bytes(folder: Path) -> int:
    """Return the disk space of the files in a folder in bytes; a file with several hard links counts once."""
    seen: dict[tuple[int, int], int] = {}
    pending = [str(folder)]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
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
    """Sample a process tree and its folder until the block ends.

    Misses what a thread writes in its last `POLL_S` seconds.
    """
    usage, before, stop = Usage(), _shared_memory(), threading.Event()

    def poll() -> None:
        while not stop.wait(POLL_S):
            usage.sample(root, folder, before)

    thread = threading.Thread(target=poll, daemon=True)
    usage.sample(root, folder, before)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()


@contextmanager
def _temporary_folders() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    for name in (RAY, OUTPUT, TEMPORARY):
        (folder / name).mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_contestant(
    name: str, spec: Mapping[str, Any], *, disk: bool = False, profile: Path | None = None
) -> dict[str, Any]:
    """Run a contestant in a new process and a temporary folder, and return its measurements.

    ``disk`` adds the fields of `Usage` under ``"usage"``; it is off by default, because sampling takes a part
    of a core. ``profile`` is the file for py-spy's stacks of the contestant; those of its workers are written
    beside it.

    Raises
    ------
    ContestantFailed
        if the process ended without a result; the hint has the last lines of its output.
    """
    with _temporary_folders() as folder:
        (folder / "spec.json").write_text(json.dumps(dict(spec) | {"folder": str(folder / OUTPUT)}))
        command = [sys.executable, "-m", "benchmarks.speed.contestants", name, str(folder)]
        variables = child_environment(folder) | {"HPO_BENCH_STARTED": repr(time.time())}
        if profile is not None:
            profile.parent.mkdir(parents=True, exist_ok=True)
            command = [_py_spy(), *PY_SPY_OPTIONS, "--output", str(profile), "--", *command]
            variables[PROFILE_VARIABLE] = str(profile)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=variables,
                cwd=folder / OUTPUT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
            usage = _wait(process, folder if disk else None)
        try:
            result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            output = (folder / "log").read_text(encoding="utf-8", errors="replace")
            last = " | ".join(output.strip().splitlines()[-12:])
            issue = Issue(f"contestant {name}", "ended without a result", None, last)
            raise ContestantFailed(issue) from None
        return result | ({"usage": usage.to_json()} if usage else {})


def _wait(process: subprocess.Popen[bytes], folder: Path | None) -> Usage | None:
    """Wait for a contestant, and return its usage if a folder is given; end it if the wait is interrupted."""
    try:
        if folder is None:
            process.wait()
            return None
        with track_usage(process.pid, folder) as usage:
            process.wait()
        return usage
    finally:
        if process.poll() is None:
            process.terminate()  # Ray's workers end with their driver
            process.wait()


def child_environment(folder: Path) -> dict[str, str]:
    """Return the environment of all contestants: one thread, no network, and all files in their folder."""
    return os.environ | {
        "PYTHONPATH": child_pythonpath(),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
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
    """Let py-spy record this worker to its end if its contestant is profiled: it does not follow workers."""
    if target := os.environ.get(PROFILE_VARIABLE):
        output = str(Path(target).with_suffix(f".{os.getpid()}.txt"))
        command = [_py_spy(), *PY_SPY_OPTIONS, "--output", output, "--pid", str(os.getpid())]
        # Detached, because py-spy writes after the worker has ended and Ray kills the children of workers.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )


def _py_spy() -> str:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    found = shutil.which("py-spy", path=path)
    if found is None:
        raise UserError(Issue("--profile", "requires py-spy", None, "run pip install -e '.[bench]'"))
    return found
