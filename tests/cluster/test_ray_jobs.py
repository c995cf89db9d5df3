"""Studies as jobs of a Ray cluster: what is asked of its client, and once for real."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from hpo.cluster.base import JobState, Submission
from hpo.cluster.ray_jobs import RayJobsBackend, RaySettings
from hpo.errors import UserError
from hpo.storage.atomic import write_json
from hpo.storage.study_folder import StudyFolder

REPOSITORY = Path(__file__).resolve().parents[2]


class Client:
    """A stand-in for Ray's client, that takes one job and has it in a state."""

    def __init__(self):
        self.status, self.submitted, self.stopped = "PENDING", [], []

    def submit_job(self, *, entrypoint, submission_id):
        self.submitted.append((entrypoint, submission_id))
        return submission_id

    def get_job_status(self, job):
        if self.status == "gone":
            raise RuntimeError(f"Request failed with status code 404: Job {job} does not exist\nand more")
        return SimpleNamespace(value=self.status)

    def get_job_logs(self, job):
        return "so far\n"

    async def tail_job_logs(self, job):
        for piece in ("a\n", "b\n"):
            yield piece

    def stop_job(self, job):
        self.stopped.append(job)


@pytest.fixture
def client(empty_folder, monkeypatch):
    client = Client()
    monkeypatch.setattr(RayJobsBackend, "_client", lambda self: client)
    return client


@pytest.fixture
def jobs(client):
    return RayJobsBackend(RaySettings())


@pytest.fixture
def submission(jobs, client):
    ((job, log),) = jobs.submit(["s"])
    return Submission(study="s", backend="ray", job=job, log=log, settings={}, submitted="")


def test_ray_jobs_submit_runs_driver_in_this_directory(submission, client):
    ((entrypoint, job),) = client.submitted
    assert (job, submission.job) == (submission.job, job)
    assert job.startswith("hpo-s-")
    cd, _, words = entrypoint.partition(" && exec ")
    assert shlex.split(cd) == ["cd", str(Path.cwd())]
    assert "HPO_RAY_ADDRESS=auto" in shlex.split(words)
    assert shlex.split(words)[-2:] == ["resume", "s"]


@pytest.mark.parametrize(
    "status, code, state",
    [
        ("PENDING", None, JobState.QUEUED),
        ("RUNNING", None, JobState.RUNNING),
        ("STOPPED", None, JobState.STOPPED),
        ("FAILED", 130, JobState.STOPPED),
        ("FAILED", 1, JobState.FAILED),
        ("SUCCEEDED", 0, JobState.DONE),
        ("gone", 1, JobState.FAILED),
        ("gone", None, JobState.UNKNOWN),
    ],
)
def test_ray_jobs_status_maps_cluster_states(jobs, submission, client, status, code, state):
    folder = StudyFolder("s")
    client.status = status
    if code is not None:
        write_json(folder.exit_code, code)
    if code == 0:
        write_json(folder.matrix, {})
    assert jobs.status(submission).state == state


def test_ray_jobs_logs_and_stop_reach_the_cluster(jobs, submission, client):
    assert list(jobs.logs(submission, follow=False)) == ["so far\n"]
    assert list(jobs.logs(submission, follow=True)) == ["a\n", "b\n"]
    jobs.stop(submission)
    assert client.stopped == [submission.job]


def test_ray_jobs_rejected_request_is_one_line(jobs, submission, client):
    client.status = "gone"
    with pytest.raises(UserError) as refusal:
        jobs._request(client.get_job_status, submission.job)
    assert str(refusal.value).startswith(
        "--address http://127.0.0.1:8265: the Ray cluster rejected the request"
    )
    assert "\n" not in str(refusal.value)


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("aiohttp") is None, reason="Ray's job API is not installed: the extra ray-jobs")
def test_ray_jobs_real_cluster_finishes_a_study(empty_folder, monkeypatch):
    home = Path(f"/tmp/hpo-ray-{os.getpid()}")
    home.mkdir(mode=0o700)
    token = home / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    for name, value in {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_TMPDIR": str(home),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(REPOSITORY),
    }.items():
        monkeypatch.setenv(name, value)
    dashboard = _free_port()
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    start = [
        *ray,
        "start",
        "--head",
        "--block",
        f"--port={_free_port()}",
        "--num-cpus=2",
        "--min-worker-port=0",
    ]
    start += ["--max-worker-port=0", "--include-dashboard=true", "--dashboard-host=127.0.0.1"]
    study = {
        "name": "s",
        "trials": 2,
        "algorithm": "random",
        "fixed": {"epochs": 1},
        "subsample": {"train": 0.3},
    }
    Path("s.yaml").write_text(yaml.safe_dump(study))

    def hpo(*words):
        command = [sys.executable, "-m", "hpo", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=400)

    start.append(f"--dashboard-port={dashboard}")
    with Path("head.log").open("w") as log, subprocess.Popen(start, stdout=log, stderr=log) as head:
        try:
            submit = ("submit", "s.yaml", "--backend", "ray", "--address", f"http://127.0.0.1:{dashboard}")
            until = time.monotonic() + 120
            while (done := hpo(*submit)).returncode and time.monotonic() < until:
                time.sleep(2)
            assert done.returncode == 0, done.stderr + Path("head.log").read_text()
            followed = hpo("logs", "s", "-f")
            found = json.loads(hpo("status", "s", "--json").stdout)
            assert (found["state"], found["ended"]) == ("done", 2), followed.stdout
            monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(Path("s.yaml").resolve()))
            refused = hpo("logs", "s")
            assert (refused.returncode, refused.stderr.count("Traceback")) == (2, 0)
        finally:
            head.terminate()
            head.wait(60)
            shutil.rmtree(home)
