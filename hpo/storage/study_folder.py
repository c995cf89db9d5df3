"""The layout of ``results/``: the paths of a study's files, and the lock of its driver."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpo.errors import Issue, UserError

ROOT = Path("results")
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,119}$"
"""Valid study names; each is also the name of a folder."""
NO_SUCH_STUDY = f"no study of this name under {ROOT}/"


class StudyFolder:
    """The paths of one study.

    The state of running trials can be kept in a separate scratch folder, such as one in memory.

    Raises
    ------
    UserError
        If the name is invalid; such a name could point outside the root folder.

    Attributes
    ----------
    path, name
        the folder, and its name, which is the study's.
    study, environment
        the resolved settings, and the versions, commit and machine of the run.
    trials
        the journal: one JSON line per event of a trial, from which a search resumes.
    matrix, report, figures
        the row of the result matrix, the report in markdown, and its plots.
    best, default
        the best models as ``best/<rank>/``, and the model of the default configuration.
    schedule
        the hyperparameters of the best trial by epoch, if they changed during training.
    replay, replay_state
        the model trained by replaying ``schedule``, and the temporary state of that run.
    rerank_results
        the scores of the best configurations over several seeds.
    checkpoints, persisted_snapshots
        the best model of each trial that may be among the study's best, and snapshots of training state
        copied from scratch.
    ray
        the state of Ray Tune.
    cluster, submission, job_script
        the files of a submitted study: its logs, the submission as JSON, and the batch script.
    jobs, restarts, stop, exit_code
        in ``cluster``: the journal of scheduler jobs, the number of restarts, the marker that requests a
        stop, and the exit code of the driver.
    tracking, tensorboard, wandb
        the identifier of the study for experiment trackers, and the files of two of them.
    scratch, scratch_marker
        the folder for the state of running trials (``path`` unless another is given), and the file that
        holds its path if it is another.
    snapshots, threshold
        in ``scratch``: the training state of resumable trials, and the score that a checkpoint must exceed
        to be written.
    """

    SCRATCH_MARKER = ".live"

    def __init__(self, name: str, root: Path = ROOT, scratch: Path | None = None) -> None:
        if not re.fullmatch(STUDY_NAME, name):
            message = "must be letters, digits and ._+- after a first letter or digit"
            raise UserError(Issue("study", message, name))
        self.path = root / name
        self.name = name
        self.study = self.path / "study.yaml"
        self.environment = self.path / "environment.json"
        self.trials = self.path / "trials.jsonl"
        self.matrix = self.path / "matrix.json"
        self.report = self.path / "report.md"
        self.figures = self.path / "figures"
        self.best = self.path / "best"
        self.default = self.path / "default"
        self.schedule = self.path / "schedule.yaml"
        self.replay = self.path / "replay"
        self.replay_state = self.path / ".replay"
        self.rerank_results = self.path / "rerank.json"
        self.checkpoints = self.path / "checkpoints"
        self.persisted_snapshots = self.path / "snapshots"
        self.ray = self.path / "ray"
        self.cluster = self.path / "cluster"
        self.submission = self.cluster / "submission.json"
        self.job_script = self.cluster / "job.sh"
        self.jobs = self.cluster / "jobs.jsonl"
        self.restarts = self.cluster / "restarts"
        self.stop = self.cluster / "stop"
        self.exit_code = self.cluster / "exit.json"
        self.tracking = self.path / "tracking.json"
        self.tensorboard = self.path / "tensorboard"
        self.wandb = self.path / "wandb"
        self.scratch = scratch or self.path
        self.scratch_marker = self.path / self.SCRATCH_MARKER
        self.snapshots = self.scratch / "snapshots"
        self.threshold = self.scratch / "checkpoints" / "threshold.json"

    def with_scratch(self, scratch: Path) -> StudyFolder:
        """Return the same study with another scratch folder."""
        return StudyFolder(self.name, self.path.parent, scratch)

    @property
    def has_separate_scratch(self) -> bool:
        """Whether the state of running trials is outside the study's folder."""
        return self.scratch != self.path

    @property
    def rerank_study(self) -> StudyFolder:
        """The nested study that retrains the best configurations with several seeds."""
        return StudyFolder("rerank", self.path)

    def scores(self, trial: int) -> Path:
        """Return the file with the dev and test scores of a trial's best model."""
        return self.path / "scores" / f"{trial}.json"

    def snapshot(self, trial: int) -> Path:
        """Return the scratch folder of a trial's training state at its last evaluation."""
        return self.snapshots / str(trial)

    def persisted_snapshot(self, trial: int) -> Path:
        """Return the folder to which `snapshot` is copied if scratch is separate."""
        return self.persisted_snapshots / str(trial)

    def candidate(self, trial: int) -> Path:
        """Return the scratch folder of a trial's best model so far."""
        return self.scratch / "checkpoints" / str(trial)

    def checkpoint(self, trial: int) -> Path:
        """Return the folder of a trial's best model while it is among the best of the study."""
        return self.checkpoints / str(trial)

    def complete_checkpoints(self) -> list[Path]:
        """Return the folders of completely written models; incomplete ones have hidden names."""
        parents = dict.fromkeys((self.checkpoints, self.scratch / "checkpoints"))
        return [path for parent in parents for path in parent.glob("*") if path.name.isdigit()]

    @property
    def is_locked(self) -> bool:
        """Whether a driver is running the study now."""
        try:
            with (self.path / ".lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock that keeps a second driver from running the study.

        Raises
        ------
        UserError
            If another process holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                hint = "wait for it, or choose another name"
                message = "is being run by another process"
                raise UserError(Issue(f"study {self.name}", message, None, hint)) from None
            yield


def array_script(name: str, root: Path = ROOT) -> Path:
    """Return the batch script of a job array; its logs are in the same folder."""
    return root / ".arrays" / f"{name}.sh"


def study_folders(root: Path = ROOT) -> list[StudyFolder]:
    """Return every study, oldest first."""
    names = [path.parent.name for path in root.glob("*/study.yaml")]
    found = [StudyFolder(name, root) for name in names if re.fullmatch(STUDY_NAME, name)]
    return sorted(found, key=lambda folder: folder.study.stat().st_mtime)
