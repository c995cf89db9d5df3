"""Studies on a Ray cluster that already runs, through its job API."""

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

from hpo.cluster.base import (
    JobState,
    Look,
    Submission,
    ended,
)
from hpo.environment import child_pythonpath
from hpo.errors import Issue, UserError
from hpo.search.ray.driver import CLUSTER
from hpo.storage.study_folder import StudyFolder


class RaySettings(BaseModel):
    """Where the cluster listens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        "http://127.0.0.1:8265",
        pattern=r"^https?://[A-Za-z0-9.\[\]:_-]+:[0-9]+/?$",
        max_length=200,
        description="of the cluster's dashboard, which takes jobs",
    )


class RayJobs:
    """A Ray cluster whose nodes see this folder under this path, with this environment.

    A cluster with token authentication is given its token by ``RAY_AUTH_MODE=token`` and
    ``RAY_AUTH_TOKEN_PATH``, as every program of Ray's is.
    """

    def __init__(self, settings: RaySettings) -> None:
        self._settings = settings

    def submit(self, studies: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Submit a job for each study, whose driver searches on the cluster.

        Raises
        ------
        UserError
            if Ray's job API is not installed, or the cluster does not answer or refuses.
        """
        client = self._client()
        return [(self._submit(client, StudyFolder(study)), "") for study in studies]

    def _submit(self, client: Any, folder: StudyFolder) -> str:
        # As words of the command: Ray refuses a driver whose workers' variables differ from its job's.
        words = ["env", f"{CLUSTER}=auto", f"PYTHONPATH={child_pythonpath()}", "PYTHONUNBUFFERED=1"]
        words += [sys.executable, "-m", "hpo.cluster.detached", str(folder.exit_code.resolve())]
        words += [sys.executable, "-m", "hpo", "resume", folder.name]
        return str(
            self._asked(
                client.submit_job,
                entrypoint=f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(words)}",
                submission_id=f"hpo-{folder.name}-{time.time_ns() // 1_000_000}",
            )
        )

    def look(self, submission: Submission) -> Look:
        """How far a job is, by the cluster, or where that does not answer, by the study's own files."""
        folder = StudyFolder(submission.study)
        try:
            known = str(self._asked(self._client().get_job_status, submission.job).value)
        except UserError as refusal:
            look = ended(folder, _code(folder))
            if look.state == JobState.DONE or _code(folder) is not None:
                return look
            return Look(JobState.UNKNOWN, str(refusal.issues[0].message))
        live = {"PENDING": JobState.QUEUED, "RUNNING": JobState.RUNNING}
        if known in live:
            return Look(live[known], known)
        look = ended(folder, _code(folder))
        return Look(JobState.STOPPED, known) if known == "STOPPED" and look.state != JobState.DONE else look

    def logs(self, submission: Submission, follow: bool) -> Iterator[str]:
        """The driver's output, as the cluster has it."""
        client = self._client()
        if not follow:
            yield str(self._asked(client.get_job_logs, submission.job))
            return
        logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.ERROR)
        pieces = client.tail_job_logs(submission.job)
        with asyncio.Runner() as runner:
            while (piece := runner.run(anext(pieces, None))) is not None:
                yield str(piece)

    def stop(self, submission: Submission) -> None:
        """Have the cluster end the driver, first by TERM, which stops it cleanly.

        Raises
        ------
        UserError
            if the cluster does not answer.
        """
        self._asked(self._client().stop_job, submission.job)

    def _client(self) -> Any:
        if find_spec("aiohttp") is None or find_spec("requests") is None:
            hint = "pip install 'hpo-ner[ray-jobs]'"
            raise UserError(Issue("--backend ray", "Ray's job API is not installed", None, hint))
        from ray.job_submission import JobSubmissionClient

        return self._asked(JobSubmissionClient, self._settings.address)

    def _asked(self, call: Any, *words: Any, **named: Any) -> Any:
        """What a call to the cluster gives.

        Raises
        ------
        UserError
            whatever goes wrong on the way: Ray's client has no exceptions of its own for it.
        """
        try:
            return call(*words, **named)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            hint = "is the address that of the dashboard, and the token the cluster's?"
            where = f"--address {self._settings.address}"
            raise UserError(Issue(where, "the Ray cluster does not take this", reason, hint)) from None


def _code(folder: StudyFolder) -> int | None:
    try:
        return int(folder.exit_code.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
