"""Studies as SLURM jobs: sbatch starts them, squeue and sacct know them, scancel warns them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.cluster.base import (
    JobState,
    Look,
    Submission,
    ended,
)
from hpo.cluster.logs import follow_file
from hpo.cluster.slurm.script import Job, render_script
from hpo.cluster.slurm.site_profile import Site
from hpo.errors import Issue, UserError
from hpo.storage.atomic import write_text
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

QUEUED = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
ANSWER_S = 60
"""How long a command of SLURM's may take."""


class Slurm:
    """A SLURM cluster, and what is asked of it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def script(self, studies: Sequence[str]) -> str:
        """The exact script that `submit` would submit."""
        return render_script(self._job(studies), self.site)

    def _job(self, studies: Sequence[str]) -> Job:
        return Job(tuple(studies), Path(sys.executable).parent)

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Submit one job, or for several studies one array with an element for each.

        Raises
        ------
        UserError
            if there is no ``sbatch``, or it refuses.
        """
        job = self._job(studies)
        write_text(job.script, render_script(job, self.site))
        number = _call("sbatch", "--parsable", str(job.script)).strip().partition(";")[0]
        if not job.is_array:
            return [(number, str(job.log(number)))]
        return [(f"{number}_{row}", str(job.log(f"{number}_{row}"))) for row in range(len(studies))]

    def look(self, submission: Submission) -> Look:
        """How far a job is, by the queue, by what its script wrote at its end, or by the accounting."""
        folder = StudyFolder(submission.study)
        known = _answer("squeue", "--noheader", "--format=%T|%r|%N", f"--jobs={submission.job}")
        if known:
            state, reason, nodes = [*known.splitlines()[0].strip().split("|"), "", ""][:3]
            if state in QUEUED:
                return Look(JobState.QUEUED, f"{state} ({reason})")
            if state in RUNNING:
                return Look(JobState.RUNNING, f"{state} on {nodes}")
        codes = [line["exit"] for line in read_lines(folder.jobs) if "exit" in line]
        if codes:
            return ended(folder, codes[-1])
        words = ("--noheader", "--allocations", "--parsable2", "--format=State,ExitCode")
        known = _answer("sacct", *words, f"--jobs={submission.job}")
        if known:
            state, _, code = known.splitlines()[-1].partition("|")
            if state.split()[0] in QUEUED | RUNNING:
                return Look(JobState.QUEUED if state in QUEUED else JobState.RUNNING, state)
            look = ended(folder, int(code.partition(":")[0] or 1))
            return look if look.state == JobState.DONE else Look(_of_accounting(state), state)
        look = ended(folder, None)
        return look if look.state == JobState.DONE else Look(JobState.UNKNOWN, "SLURM does not know the job")

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """The log file of the job, which restarts append to; of one that submitted itself again, each."""
        folder = StudyFolder(submission.study)
        jobs = [*(line["after"] for line in read_lines(folder.jobs) if "after" in line), submission.job]
        for job in jobs:
            log = Path(submission.log).with_name(f"job-{job}.log")
            yield from follow_file(log, lambda: follow and self.look(submission).state.is_live)

    def stop(self, submission: Submission) -> None:
        """Warn a running job as SLURM would, and have it not start again; cancel one that waits.

        Raises
        ------
        UserError
            if ``scancel`` refuses.
        """
        write_text(StudyFolder(submission.study).stop, "")
        if self.look(submission).state == JobState.QUEUED:
            _call("scancel", submission.job)
        else:
            _call("scancel", "--batch", "--signal=USR1", submission.job)


def _of_accounting(state: str) -> JobState:
    stopped = ("CANCELLED", "PREEMPTED", "TIMEOUT", "NODE_FAIL", "DEADLINE", "REVOKED")
    return JobState.STOPPED if state.startswith(stopped) else JobState.FAILED


def _call(*words: str) -> str:
    """What a command of SLURM's prints.

    Raises
    ------
    UserError
        if it is not there, takes too long, or fails, with its own words.
    """
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        hint = "submit from a login node of the cluster, or take --backend local"
        raise UserError(Issue("--backend slurm", f"there is no {words[0]} here", None, hint)) from None
    except subprocess.TimeoutExpired:
        raise UserError(Issue(words[0], f"has not answered in {ANSWER_S} s")) from None
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise UserError(Issue(words[0], "refused", reason or f"exit code {done.returncode}"))
    return done.stdout


def _answer(*words: str) -> str:
    """As `_call`, empty where SLURM does not know: a job that has left the queue is no mistake."""
    try:
        return _call(*words).strip()
    except UserError:
        return ""
