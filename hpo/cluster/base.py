"""The interface of a backend, and the record of a study that was submitted to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json, write_json
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import YamlFile, validate

STOPPED_CODES = (130, 138, 143)
"""Exit codes of a driver that was interrupted, or received USR1 or TERM before its search began."""


class JobState(StrEnum):
    """State of a job. ``STOPPED`` can be resumed; ``UNKNOWN`` means that the backend cannot tell."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_active(self) -> bool:
        """Whether the job may still write."""
        return self in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobStatus:
    """State of a job, with a ``detail`` in the backend's own words."""

    state: JobState
    detail: str = ""


class Submission(BaseModel):
    """A study submitted to a backend, stored as ``results/STUDY/cluster/submission.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    backend: str
    job: str = Field(description="the backend's identifier of the job")
    settings: dict[str, Any] = Field(description="the backend's settings at submission")
    log: str = Field("", description="log file, relative to the directory of submission")
    submitted: str = Field(description="time of submission, UTC")


class Backend(Protocol):
    """Runs studies somewhere. A backend is created from its settings and keeps no other state."""

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Start the driver of each study and return the job identifier and log file of each.

        Raises
        ------
        UserError
            If the backend rejects the job; nothing runs in that case.
        """

    def status(self, submission: Submission) -> JobStatus:
        """Return the state of a job."""

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """Yield the log in pieces; with ``follow``, continue until the job ends."""

    def stop(self, submission: Submission) -> None:
        """Ask a driver to stop cleanly, as an interrupt does."""


def read_submission(folder: StudyFolder) -> Submission | None:
    """Return the last submission of a study, or None if it was never submitted.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    try:
        data = read_json(folder.submission)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(Issue(str(folder.submission), "is not valid JSON", str(error))) from None
    submission = validate(Submission, YamlFile(folder.submission, data, {}))
    resubmitted = [line["job"] for line in read_lines(folder.jobs) if "after" in line]
    return submission.model_copy(update={"job": resubmitted[-1]}) if resubmitted else submission


def write_submission(folder: StudyFolder, submission: Submission) -> None:
    """Store the submission of a study."""
    write_json(folder.submission, submission.model_dump(mode="json"))


def remove_earlier_job(folder: StudyFolder) -> None:
    """Remove the files that an earlier job of a study left for its own restarts."""
    for path in (folder.jobs, folder.restarts, folder.stop, folder.exit_code):
        path.unlink(missing_ok=True)


def read_exit_code(folder: StudyFolder) -> int | None:
    """Return the exit code that `hpo.cluster.detached` stored for a driver, or None if there is none."""
    try:
        return int(folder.exit_code.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def status_after_exit(folder: StudyFolder, code: int | None) -> JobStatus:
    """Return the state of an ended job from its study's files and the driver's exit code, None if unknown."""
    if folder.matrix.exists():
        return JobStatus(JobState.DONE)
    if code is None:
        return JobStatus(JobState.STOPPED, "driver exited without reporting a status")
    return JobStatus(JobState.STOPPED if code in STOPPED_CODES else JobState.FAILED, f"exit code {code}")
