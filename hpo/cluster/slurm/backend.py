"""The SLURM backend: submits studies as jobs with sbatch and queries them with squeue and sacct."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.cluster.base import JobState, JobStatus, Submission, status_after_exit
from hpo.cluster.logs import follow_file
from hpo.cluster.slurm.script import Job, render_script
from hpo.cluster.slurm.site_profile import SiteProfile
from hpo.errors import Issue, UserError
from hpo.storage.atomic import write_text
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

QUEUED = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
STOPPED = ("CANCELLED", "PREEMPTED", "TIMEOUT", "NODE_FAIL", "DEADLINE", "REVOKED")
"""Prefixes of the accounting states of a job that can be resumed."""
COMMAND_TIMEOUT_S = 60


class SlurmBackend:
    """Runs studies as jobs of a SLURM cluster, with the options of a site profile."""

    def __init__(self, site: SiteProfile) -> None:
        self.site = site

    def script(self, studies: Sequence[str]) -> str:
        """Return the exact script that `submit` would submit."""
        return render_script(self._job(studies), self.site)

    def _job(self, studies: Sequence[str]) -> Job:
        return Job(tuple(studies), Path(sys.executable).parent)

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Submit one job, or for several studies one job array with an element for each.

        Raises
        ------
        UserError
            If ``sbatch`` is missing or rejects the job.
        """
        job = self._job(studies)
        write_text(job.script, render_script(job, self.site))
        number = _call("sbatch", "--parsable", str(job.script)).strip().partition(";")[0]
        if not job.is_array:
            return [(number, str(job.log(number)))]
        return [(f"{number}_{row}", str(job.log(f"{number}_{row}"))) for row in range(len(studies))]

    def status(self, submission: Submission) -> JobStatus:
        """Return the state of a job from the queue, from what its script wrote at its end, or from sacct."""
        folder = StudyFolder(submission.study)
        answer = _call_or_empty("squeue", "--noheader", "--format=%T|%r|%N", f"--jobs={submission.job}")
        if answer:
            state, reason, nodes = [*answer.splitlines()[0].strip().split("|"), "", ""][:3]
            if state in QUEUED:
                return JobStatus(JobState.QUEUED, f"{state} ({reason})")
            if state in RUNNING:
                return JobStatus(JobState.RUNNING, f"{state} on {nodes}")
        codes = [line["exit"] for line in read_lines(folder.jobs) if "exit" in line]
        if codes:
            return status_after_exit(folder, codes[-1])
        options = ("--noheader", "--allocations", "--parsable2", "--format=State,ExitCode")
        answer = _call_or_empty("sacct", *options, f"--jobs={submission.job}")
        if answer:
            state, _, code = answer.splitlines()[-1].partition("|")
            if state.split()[0] in QUEUED | RUNNING:
                return JobStatus(JobState.QUEUED if state in QUEUED else JobState.RUNNING, state)
            status = status_after_exit(folder, int(code.partition(":")[0] or 1))
            return status if status.state == JobState.DONE else JobStatus(_accounting_state(state), state)
        status = status_after_exit(folder, None)
        if status.state == JobState.DONE:
            return status
        return JobStatus(JobState.UNKNOWN, "SLURM does not know the job")

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """Yield the log of the job, which restarts append to, after those of the jobs that it replaced."""
        folder = StudyFolder(submission.study)
        jobs = [*(line["after"] for line in read_lines(folder.jobs) if "after" in line), submission.job]
        for job in jobs:
            log = Path(submission.log).with_name(f"job-{job}.log")
            yield from follow_file(log, lambda: follow and self.status(submission).state.is_active)

    def stop(self, submission: Submission) -> None:
        """Signal a running job as SLURM does before its end, without a restart; cancel a queued one.

        Raises
        ------
        UserError
            If ``scancel`` fails.
        """
        write_text(StudyFolder(submission.study).stop, "")
        if self.status(submission).state == JobState.QUEUED:
            _call("scancel", submission.job)
        else:
            _call("scancel", "--batch", "--signal=USR1", submission.job)


def _accounting_state(state: str) -> JobState:
    return JobState.STOPPED if state.startswith(STOPPED) else JobState.FAILED


def _call(*words: str) -> str:
    """Return the output of a SLURM command.

    Raises
    ------
    UserError
        If the command is missing, takes too long, or fails; with its own error message.
    """
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        hint = "submit from a login node of the cluster, or use --backend local"
        raise UserError(Issue("--backend slurm", f"{words[0]} is not installed", None, hint)) from None
    except subprocess.TimeoutExpired:
        raise UserError(Issue(words[0], f"did not answer within {COMMAND_TIMEOUT_S} s")) from None
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise UserError(Issue(words[0], f"failed: {reason}"))
    return done.stdout


def _call_or_empty(*words: str) -> str:
    """Return the output of a SLURM command, or an empty string if SLURM no longer knows the job."""
    try:
        return _call(*words).strip()
    except UserError:
        return ""
