"""Studies on this machine, each in a process of its own that outlives the terminal."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hpo.cluster.base import (
    JobState,
    Look,
    Submission,
    ended,
)
from hpo.cluster.logs import follow_file
from hpo.environment import child_pythonpath
from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json
from hpo.storage.study_folder import StudyFolder


class LocalSettings(BaseModel):
    """Nothing is to be settled."""

    model_config = ConfigDict(frozen=True, extra="forbid")


DRIVER = (sys.executable, "-m", "hpo", "resume")
"""What runs a study, followed by its name."""


class Local:
    """This machine. A job is named ``host:pid:start``: a number that is used again is not mistaken."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Start a process for each study, in a session of its own, with a log file of its own."""
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

    def look(self, submission: Submission) -> Look:
        """Whether the process lives, and if not, how it ended."""
        folder = StudyFolder(submission.study)
        host, pid, started = _parts(submission)
        if host != platform.node():
            look = ended(folder, None)
            return look if look.state == JobState.DONE else Look(JobState.UNKNOWN, f"runs on {host}")
        if _started(pid) == started:
            return Look(JobState.RUNNING, f"process {pid}")
        try:
            code = int(read_json(folder.exit_code))
        except (OSError, ValueError):
            code = None
        return ended(folder, code)

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """The log file of the process."""
        return follow_file(Path(submission.log), lambda: follow and self.look(submission).state.is_live)

    def stop(self, submission: Submission) -> None:
        """Have the process stop its driver.

        Raises
        ------
        UserError
            if it runs on another machine.
        """
        host, pid, started = _parts(submission)
        if host != platform.node():
            raise UserError(Issue(f"study {submission.study}", "runs on", host, "stop it there"))
        if _started(pid) == started:
            os.kill(pid, signal.SIGTERM)


def _parts(submission: Submission) -> tuple[str, int, str]:
    host, pid, started = submission.job.split(":", 2)
    return host, int(pid), started


def _started(pid: int) -> str:
    """When a process was started, in the words of ``ps``; empty if it is gone, or a corpse."""
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else " ".join(started.split())
