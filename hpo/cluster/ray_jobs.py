"""The Ray backend: runs studies on an existing Ray cluster through its job API."""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hpo.cluster.base import JobState, JobStatus, Submission, read_exit_code, status_after_exit
from hpo.environment import child_pythonpath
from hpo.errors import Issue, UserError
from hpo.search.ray.driver import RAY_ADDRESS_VARIABLE
from hpo.storage.study_folder import StudyFolder


class RaySettings(BaseModel):
    """Settings of the Ray backend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        "http://127.0.0.1:8265",
        pattern=r"^https?://[A-Za-z0-9.\[\]:_-]+:[0-9]+/?$",
        max_length=200,
        description="address of the cluster's dashboard, which accepts jobs",
    )


class RayJobsBackend:
    """Runs studies on a Ray cluster whose nodes see this directory and environment under the same paths.

    For a cluster with token authentication, set ``RAY_AUTH_MODE=token`` and ``RAY_AUTH_TOKEN_PATH`` as for
    every Ray client.
    """

    def __init__(self, settings: RaySettings) -> None:
        self._settings = settings

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Submit a job for each study; its driver runs on the cluster.

        Raises
        ------
        UserError
            If Ray's job API is not installed, or the cluster does not answer or rejects the job.
        """
        client = self._client()
        return [(self._submit(client, StudyFolder(study)), "") for study in studies]

    def _submit(self, client: Any, folder: StudyFolder) -> str:
        # Set in the command, since Ray rejects a driver whose worker variables differ from those of its job.
        words = [
            "env",
            f"{RAY_ADDRESS_VARIABLE}=auto",
            f"PYTHONPATH={child_pythonpath()}",
            "PYTHONUNBUFFERED=1",
        ]
        words += [sys.executable, "-m", "hpo.cluster.detached", str(folder.exit_code.resolve())]
        words += [sys.executable, "-m", "hpo", "resume", folder.name]
        return str(
            self._request(
                client.submit_job,
                entrypoint=f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(words)}",
                submission_id=f"hpo-{folder.name}-{time.time_ns() // 1_000_000}",
            )
        )

    def status(self, submission: Submission) -> JobStatus:
        """Return the state that the cluster reports, or else that of the study's files."""
        folder = StudyFolder(submission.study)
        try:
            known = str(self._request(self._client().get_job_status, submission.job).value)
        except UserError as refusal:
            status = status_after_exit(folder, read_exit_code(folder))
            if status.state == JobState.DONE or read_exit_code(folder) is not None:
                return status
            return JobStatus(JobState.UNKNOWN, str(refusal.issues[0].message))
        live = {"PENDING": JobState.QUEUED, "RUNNING": JobState.RUNNING}
        if known in live:
            return JobStatus(live[known], known)
        status = status_after_exit(folder, read_exit_code(folder))
        return (
            JobStatus(JobState.STOPPED, known)
            if known == "STOPPED" and status.state != JobState.DONE
            else status
        )

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """Yield the driver's output that the cluster stores."""
        client = self._client()
        if not follow:
            yield str(self._request(client.get_job_logs, submission.job))
            return
        logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.ERROR)
        pieces = client.tail_job_logs(submission.job)
        with asyncio.Runner() as runner:
            while (piece := runner.run(anext(pieces, None))) is not None:
                yield str(piece)

    def stop(self, submission: Submission) -> None:
        """Ask the cluster to end the driver; it sends TERM first, which stops the driver cleanly.

        Raises
        ------
        UserError
            If the cluster does not answer.
        """
        self._request(self._client().stop_job, submission.job)

    def _client(self) -> Any:
        if find_spec("aiohttp") is None or find_spec("requests") is None:
            hint = "pip install 'hpo-ner[ray-jobs]'"
            raise UserError(Issue("--backend ray", "Ray's job API is not installed", None, hint))
        from ray.job_submission import JobSubmissionClient

        return self._request(JobSubmissionClient, self._settings.address)

    def _request(self, call: Any, *words: Any, **named: Any) -> Any:
        """Return the result of a call to the cluster.

        Raises
        ------
        UserError
            If it fails in any way; Ray's client does not define exceptions for this.
        """
        try:
            return call(*words, **named)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            hint = "check that the address is the dashboard's and the token the cluster's"
            location = f"--address {self._settings.address}"
            raise UserError(
                Issue(location, f"the Ray cluster rejected the request: {reason}", None, hint)
            ) from None
