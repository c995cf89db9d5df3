"""The only module that knows paths under ``results/``; everything is written whole or not at all."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hpo.errors import Issue, UserError

ROOT = Path("results")
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,119}$"
"""What may be a study's name, and with it a folder's."""


class StudyFolder:
    """The files of one study; what its running trials leave behind may stand elsewhere, under ``live``.

    Raises
    ------
    UserError
        if the name cannot be a study's; it may lead out of the root.
    """

    SCRATCH_MARKER = ".live"

    def __init__(self, name: str, root: Path = ROOT, scratch: Path | None = None) -> None:
        if not re.fullmatch(STUDY_NAME, name):
            raise UserError(
                Issue(
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
        self.scratch_marker = self.path / self.SCRATCH_MARKER
        self.scratch = scratch or self.path
        self.snapshots = self.scratch / "snapshots"
        self.persisted_snapshots = self.path / "snapshots"
        self.threshold = self.scratch / "checkpoints" / "threshold.json"

    def with_scratch(self, scratch: Path) -> StudyFolder:
        """The same folder, with what its running trials leave behind under another."""
        return StudyFolder(self.name, self.path.parent, scratch)

    @property
    def has_separate_scratch(self) -> bool:
        """Whether running trials leave their state outside the study's folder."""
        return self.scratch != self.path

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

    def persisted_snapshot(self, trial: int) -> Path:
        """Where a trial's state stands on disk, if `snapshot` is elsewhere and it was saved."""
        return self.persisted_snapshots / str(trial)

    def candidate(self, trial: int) -> Path:
        """The folder of a running trial's best model so far, if it may be among the best of the study."""
        return self.scratch / "checkpoints" / str(trial)

    def checkpoint(self, trial: int) -> Path:
        """The folder of a trial's best model, while it is among the best of the study."""
        return self.checkpoints / str(trial)

    @property
    def is_locked(self) -> bool:
        """Whether a driver holds the study at this moment."""
        try:
            with (self.path / ".lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def complete_checkpoints(self) -> list[Path]:
        """The folders of models that are whole; one that is being written has a hidden name."""
        places = dict.fromkeys((self.checkpoints, self.scratch / "checkpoints"))
        return [path for place in places for path in place.glob("*") if path.name.isdigit()]

    @contextmanager
    def lock(self) -> Iterator[None]:
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
            Issue(
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
