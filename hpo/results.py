"""The only module that knows paths under ``results/``; everything is written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from hpo.errors import Fault, UserError

ROOT = Path("results")
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,119}$"
"""What may be a study's name, and with it a folder's."""


_unsynced: ContextVar[bool] = ContextVar("_unsynced", default=False)


@contextmanager
def without_sync() -> Iterator[None]:
    """Write without waiting for the disk: for a search that is simulated and leaves nothing behind."""
    before = _unsynced.set(True)
    try:
        yield
    finally:
        _unsynced.reset(before)


def _sync(descriptor: int) -> None:
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
            _sync(file.fileno())
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
    write_text(path, "".join(_line(line) for line in lines))


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


class Journal:
    """A file of JSON lines that only grows; a line that a killed process left half-written is cut off."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = _whole_lines(path)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def append(self, line: dict[str, Any], *, durable: bool = False) -> None:
        """Add a line; ``durable`` also waits until the disk has it, against the machine's own death."""
        self._file.write(_line(line).encode())
        self._file.flush()
        if durable:
            _sync(self._file.fileno())

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
                raise UserError(Fault(f"{path}:{number}", "is not valid JSON", str(error))) from None
            yield parsed


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


class StudyFolder:
    """The files of one study; what its running trials leave behind may stand elsewhere, under ``live``.

    Raises
    ------
    UserError
        if the name cannot be a study's; it may lead out of the root.
    """

    LIVE_MARKER = ".live"

    def __init__(self, name: str, root: Path = ROOT, live: Path | None = None) -> None:
        if not re.fullmatch(STUDY_NAME, name):
            raise UserError(
                Fault(
                    "study",
                    "must be letters, digits and ._+- after a first letter or digit",
                    name,
                )
            )
        self.path = root / name
        self.name = name
        self.study = self.path / "study.yaml"
        self.environment = self.path / "environment.json"
        self.trials = self.path / "trials.jsonl"
        self.matrix = self.path / "matrix.json"
        self.report = self.path / "report.md"
        self.schedule = self.path / "schedule.yaml"
        self.best = self.path / "best"
        self.default = self.path / "default"
        self.reranking = self.path / "rerank.json"
        self.figures = self.path / "figures"
        self.replay = self.path / "replay"
        self.replay_state = self.path / ".replay"
        self.checkpoints = self.path / "checkpoints"
        self.ray = self.path / "ray"
        self.cluster = self.path / "cluster"
        self.submission = self.cluster / "submission.json"
        self.jobs = self.cluster / "jobs.jsonl"
        self.restarts = self.cluster / "restarts"
        self.stop = self.cluster / "stop"
        self.exit_code = self.cluster / "exit.json"
        self.job_script = self.cluster / "job.sh"
        self.tracking = self.path / "tracking.json"
        self.tensorboard = self.path / "tensorboard"
        self.wandb = self.path / "wandb"
        self.live_marker = self.path / self.LIVE_MARKER
        self.live = live or self.path
        self.snapshots = self.live / "snapshots"
        self.stored_snapshots = self.path / "snapshots"
        self.bar = self.live / "checkpoints" / "bar.json"

    def with_live(self, live: Path) -> StudyFolder:
        """The same folder, with what its running trials leave behind under another."""
        return StudyFolder(self.name, self.path.parent, live)

    @property
    def has_live_elsewhere(self) -> bool:
        """Whether running trials leave their state outside the study's folder."""
        return self.live != self.path

    @property
    def reranked(self) -> StudyFolder:
        """The folder of the study that trains this one's best again, which lies inside."""
        return StudyFolder("rerank", self.path)

    def scores(self, trial: int) -> Path:
        """The scores of a trial's best model on dev and test, where it was scored."""
        return self.path / "scores" / f"{trial}.json"

    def snapshot(self, trial: int) -> Path:
        """The folder of a trial's whole state at its last evaluation, while it may go on from there."""
        return self.snapshots / str(trial)

    def stored_snapshot(self, trial: int) -> Path:
        """Where a trial's state stands on disk, if `snapshot` is elsewhere and it was saved."""
        return self.stored_snapshots / str(trial)

    def candidate(self, trial: int) -> Path:
        """The folder of a running trial's best model so far, if it may be among the best of the study."""
        return self.live / "checkpoints" / str(trial)

    def checkpoint(self, trial: int) -> Path:
        """The folder of a trial's best model, while it is among the best of the study."""
        return self.checkpoints / str(trial)

    @property
    def is_held(self) -> bool:
        """Whether a driver holds the study at this moment."""
        try:
            with (self.path / ".lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def written_checkpoints(self) -> list[Path]:
        """The folders of models that are whole; one that is being written has a hidden name."""
        places = dict.fromkeys((self.checkpoints, self.live / "checkpoints"))
        return [path for place in places for path in place.glob("*") if path.name.isdigit()]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study against a second driver.

        Raises
        ------
        UserError
            if another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            _lock(file, self.name)
            yield


def _lock(file: IO[str], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(
            Fault(
                f"study {name}", "is being run by another process", None, "wait for it, or give another name"
            )
        ) from None


def array_script(name: str, root: Path = ROOT) -> Path:
    """The script of a job array, whose logs lie beside it."""
    return root / ".arrays" / f"{name}.sh"


def study_folders(root: Path = ROOT) -> list[StudyFolder]:
    """Every study, oldest first."""
    names = [path.parent.name for path in root.glob("*/study.yaml")]
    found = [StudyFolder(name, root) for name in names if re.fullmatch(STUDY_NAME, name)]
    return sorted(found, key=lambda folder: folder.study.stat().st_mtime)


def cached(key: str, fill: Callable[[Path], object], root: Path = ROOT) -> Path:
    """The folder of derived data under a key, filled by ``fill`` if it is not there yet."""
    folder = root / ".cache" / key
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder.parent))
        try:
            fill(fresh)
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was first, with the same content
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder
