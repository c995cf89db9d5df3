"""What a place to run studies can do, and what is known of a study that was given to one."""

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


class JobState(StrEnum):
    """How far a job is. ``STOPPED`` can be resumed, ``UNKNOWN`` is what the place cannot tell any more."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_live(self) -> bool:
        """Whether the job may still write."""
        return self in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Look:
    """A job as its place sees it now; ``detail`` is in the place's own words."""

    state: JobState
    detail: str = ""


class Submission(BaseModel):
    """A study that was given to a backend: ``results/STUDY/cluster/submission.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    backend: str
    job: str = Field(description="the backend's own name for it")
    settings: dict[str, Any] = Field(description="of the backend, as the study was submitted with them")
    log: str = Field("", description="the log file, where it is a file, from the folder of submission")
    submitted: str = Field(description="when, in UTC")


class Backend(Protocol):
    """A place that runs studies. Each is made from its own settings alone."""

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Start the driver of each study; the job and the log file of each.

        Raises
        ------
        UserError
            if the place refuses; nothing runs then.
        """

    def look(self, submission: Submission) -> Look:
        """How far a job is."""

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """The log so far, in pieces; with ``follow`` also what is added until the job ends."""

    def stop(self, submission: Submission) -> None:
        """Ask a driver to stop cleanly, as an interrupt does."""


def read_submission(folder: StudyFolder) -> Submission | None:
    """The last submission of a study, or None if it has never been submitted.

    Raises
    ------
    UserError
        if its file has problems.
    """
    try:
        data = read_json(folder.submission)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(Issue(str(folder.submission), "is not valid JSON", str(error))) from None
    submission = validate(Submission, YamlFile(folder.submission, data, {}))
    later = [line["job"] for line in read_lines(folder.jobs) if "after" in line]
    return submission.model_copy(update={"job": later[-1]}) if later else submission


def write_submission(folder: StudyFolder, submission: Submission) -> None:
    """Put a submission down."""
    write_json(folder.submission, submission.model_dump(mode="json"))


def forget_earlier_job(folder: StudyFolder) -> None:
    """Remove what an earlier job of a study has left to say to its own restarts."""
    for path in (folder.jobs, folder.restarts, folder.stop, folder.exit_code):
        path.unlink(missing_ok=True)


def ended(folder: StudyFolder, code: int | None) -> Look:
    """What became of a job that has ended, by the study's own files and the driver's exit code."""
    if folder.matrix.exists():
        return Look(JobState.DONE)
    if code is None:
        return Look(JobState.STOPPED, "its driver has gone without a word")
    detail = f"exit code {code}"
    return Look(JobState.STOPPED if code in STOPPED_CODES else JobState.FAILED, detail)


STOPPED_CODES = (130, 138, 143)
"""Of a driver that was interrupted, or hit by USR1 or TERM before its search had begun."""
