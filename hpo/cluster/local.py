"""The local backend: runs each study in a background process that outlives the terminal."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hpo.cluster.base import JobState, JobStatus, Submission, read_exit_code, status_after_exit
from hpo.cluster.logs import follow_file
from hpo.environment import child_pythonpath
from hpo.errors import Issue, UserError
from hpo.storage.study_folder import StudyFolder


class LocalSettings(BaseModel):
    """The local backend has no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


DRIVER = (sys.executable, "-m", "hpo", "resume")
"""The command that runs a study; the study's name follows."""


class LocalBackend:
    """Runs studies on this machine.

    A job is identified as ``host:pid:start``; the start time distinguishes it from a later process with the
    same number.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Start a process for each study, in a new session and with its own log file."""
        return [self._start(StudyFolder(study)) for study in studies]

    def _start(self, folder: StudyFolder) -> tuple[str, str]:
        log = folder.cluster / "local.log"
        folder.cluster.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "hpo.cluster.detached", str(folder.exit_code), *DRIVER, folder.name],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": child_pythonpath(), "PYTHONUNBUFFERED": "1"},
            )
        return f"{platform.node()}:{process.pid}:{_started(process.pid)}", str(log)

    def status(self, submission: Submission) -> JobStatus:
        """Return whether the process runs, or how it ended."""
        folder = StudyFolder(submission.study)
        host, pid, started = _parts(submission)
        if host != platform.node():
            status = status_after_exit(folder, None)
            return status if status.state == JobState.DONE else JobStatus(JobState.UNKNOWN, f"runs on {host}")
        if _started(pid) == started:
            return JobStatus(JobState.RUNNING, f"process {pid}")
        return status_after_exit(folder, read_exit_code(folder))

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """Yield the log file of the process."""
        return follow_file(Path(submission.log), lambda: follow and self.status(submission).state.is_active)

    def stop(self, submission: Submission) -> None:
        """Ask the process to stop its driver.

        Raises
        ------
        UserError
            If it runs on another machine.
        """
        host, pid, started = _parts(submission)
        if host != platform.node():
            raise UserError(
                Issue(f"study {submission.study}", "runs on another machine", host, "stop it there")
            )
        if _started(pid) == started:
            os.kill(pid, signal.SIGTERM)


def _parts(submission: Submission) -> tuple[str, int, str]:
    host, pid, started = submission.job.split(":", 2)
    return host, int(pid), started


def _started(pid: int) -> str:
    """Return the start time of a process as ``ps`` prints it; empty if it has ended or is a zombie."""
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else " ".join(started.split())
