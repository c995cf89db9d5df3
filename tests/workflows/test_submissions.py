"""Studies given to a backend: one contract for all, the local one whole, what is refused, what is printed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from hpo.cli import app as cli
from hpo.cluster import local, ray_jobs
from hpo.cluster.backends import BACKENDS, read_settings
from hpo.cluster.base import JobState, Submission, read_submission, status_after_exit, write_submission
from hpo.cluster.local import LocalBackend, LocalSettings
from hpo.config.study import build_study
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder

DRIVER = """
import signal, sys, time
print("study", sys.argv[1], flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
signal.signal(signal.SIGHUP, lambda *_: sys.exit(99))
time.sleep({seconds})
print("the end", flush=True)
sys.exit({code})
"""


@pytest.fixture
def driver(empty_folder, monkeypatch):
    """Has studies run here by a stand-in that prints, sleeps and ends with a code."""

    def set_up(seconds=0.0, code=0):
        text = DRIVER.format(seconds=seconds, code=code)
        monkeypatch.setattr(local, "DRIVER", (sys.executable, "-c", text))

    return set_up


@pytest.fixture
def hpo(empty_folder, monkeypatch, capsys):
    """Runs the program in an empty folder: its exit code, what it printed, and what it complained of."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["hpo", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call


def wait_for(holds, seconds=30):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def state(hpo, name="s"):
    return json.loads(hpo("status", name, "--json")[1])["state"]


@pytest.mark.parametrize("name", BACKENDS)
def test_backend_every_type_has_the_interface_and_storable_settings(name):
    settings = read_settings(name, None, {})
    backend = BACKENDS[name].build(settings)
    for verb in ("submit", "status", "logs", "stop"):
        assert callable(getattr(backend, verb))
    kept = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert BACKENDS[name].settings.model_validate(kept) == settings


def test_submit_unknown_backend_lists_known_ones(hpo):
    code, _, err = hpo("submit", "--backend", "pbs")
    assert code == 2
    assert err == "--backend: unknown backend (got 'pbs'; known: local, slurm, ray)\n"


@pytest.mark.parametrize(
    "words, told",
    [
        (["--nodes", "2"], "--nodes: is not an option of --backend local (got 2; use --backend slurm)"),
        (["--profile", "x.yaml"], "--profile: is not an option of --backend local (got 'x.yaml'"),
        (["--backend", "ray", "--time", "1:00:00"], "--time: is not an option of --backend ray"),
        (["--backend", "ray", "--address", "http://x:8265; id"], "--address: "),
        (["--backend", "slurm", "--partition", "a b"], "--partition: "),
        (["--backend", "slurm", "--address", "http://x:1"], "--address: unknown key"),
        (["../x"], "study: must be letters"),
        (["--study", "../x"], "--study: "),
    ],
)
def test_submit_option_unknown_to_backend_is_rejected_before_writing(hpo, words, told):
    code, _, err = hpo("submit", *words)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert not Path("results").exists()


def test_submit_local_study_outlives_terminal_and_reports_progress(hpo, driver):
    driver(seconds=20)
    code, out, _ = hpo("submit", "--trials", "3", "--study", "s")
    assert code == 0
    assert "s: submitted to local as job" in out
    submission = read_submission(StudyFolder("s"))
    pid = int(submission.job.split(":")[1])
    assert os.getsid(pid) == pid, "it has left the terminal's session"
    wait_for(lambda: "study s" in hpo("logs", "s")[1])
    os.kill(pid, signal.SIGHUP)
    assert state(hpo) == "running"
    code, _, err = hpo("submit", "s")
    assert code == 2
    assert "is already running" in err
    assert json.loads(hpo("stop", "s", "--json")[1])["asked"]
    wait_for(lambda: state(hpo) == "stopped")
    assert "exit code 130" in hpo("status")[1]
    assert "nothing to stop" in hpo("stop", "s")[1]
    driver(code=0)
    assert hpo("resume", "s", "--backend", "local")[0] == 0
    assert read_submission(StudyFolder("s")).job != submission.job


def test_logs_follow_ends_with_the_job(hpo, driver):
    driver(seconds=1, code=1)
    hpo("submit", "--trials", "3", "--study", "s")
    code, out, _ = hpo("logs", "s", "-f")
    assert (code, out) == (0, "study s\nthe end\n")
    wait_for(lambda: state(hpo) == "failed")


def test_status_reused_process_number_is_not_the_driver(hpo, driver):
    driver()
    hpo("submit", "--trials", "3", "--study", "s")
    wait_for(lambda: state(hpo) != "running")
    folder = StudyFolder("s")
    submission = read_submission(folder)
    host, _, started = submission.job.split(":", 2)
    time.sleep(1.1)  # starts are told apart by the second, in which no number is used again
    with subprocess.Popen(["sleep", "30"]) as other:
        write_submission(folder, submission.model_copy(update={"job": f"{host}:{other.pid}:{started}"}))
        assert state(hpo) != "running"
        assert "nothing to stop" in hpo("stop", "s")[1]
        assert other.poll() is None
        other.kill()


def test_status_job_on_another_host_is_unknown(hpo, driver):
    driver()
    hpo("submit", "--trials", "3", "--study", "s")
    folder = StudyFolder("s")
    submission = read_submission(folder).model_copy(update={"job": "elsewhere:1:Sat Nov 21 2026"})
    write_submission(folder, submission)
    assert json.loads(hpo("status", "s", "--json")[1])["detail"] == "runs on elsewhere"


def test_status_study_never_submitted_reports_it(hpo):
    folder = StudyFolder("s")
    write_text(folder.study, build_study({"name": "s"}).to_yaml())
    for command in ("status", "logs", "stop"):
        code, _, err = hpo(command, "s")
        assert code == 2
        assert err.startswith("study s: was never submitted")
    assert hpo("status") == (0, "no submitted studies yet; submit one with: hpo submit\n", "")


def test_submit_invalid_corpus_is_rejected_before_submission(hpo, driver):
    driver()
    Path("corpus.conll").write_text("a B-PER x\n")
    code, _, err = hpo("submit", "--data", "nowhere.jsonl", "--study", "s")
    assert code == 2
    assert "nowhere.jsonl" in err
    assert not StudyFolder("s").submission.exists()


def test_submit_dry_run_prints_script_and_cost_only(hpo, monkeypatch):
    monkeypatch.setattr("hpo.models.build.count_parameters", lambda model: 1_000_000)
    code, out, err = hpo("submit", "--backend", "slurm", "--nodes", "2", "--time", "06:00:00", "--dry-run")
    assert code == 0
    assert out.startswith("#!/usr/bin/env bash\n#SBATCH --job-name=hpo-demo")
    assert "#SBATCH --nodes=2\n" in out
    assert "# cost: at most 450 epochs" in err
    assert not Path("results").exists()
    code, out, _ = hpo("grid", "--backend", "slurm", "--train-on", "cased,uncased", "--dry-run")
    assert "#SBATCH --array=0-1\n" in out


def test_grid_job_options_equal_those_of_submit(hpo):
    rows = ("grid", "--train-on", "cased,uncased", "--dry-run", "--nodes", "2", "--gpus", "4", "--cpus", "16")
    words = ("--time", "06:00:00", "--partition", "gpu")
    code, out, err = hpo(*rows, *words, "--backend", "slurm")
    assert code == 0, err
    for line in ("nodes=2", "gpus-per-node=4", "time=06:00:00", "partition=gpu"):
        assert f"#SBATCH --{line}\n" in out
    code, _, err = hpo(*rows)
    rule = "is an option of a submitted job"
    hint = "add --backend slurm or --backend ray"
    values = {"nodes": 2, "gpus": 4, "cpus": 16}
    assert code == 2
    assert sorted(err.splitlines()) == sorted(
        f"--{option}: {rule} (got {value}; {hint})" for option, value in values.items()
    )


def test_submit_gpus_per_trial_above_node_is_rejected(hpo):
    words = ("--backend", "slurm", "--nodes", "2", "--gpus-per-trial", "4", "--dry-run", "--study", "s")
    code, _, err = hpo("submit", *words, "--gpus", "2")
    assert (code, err) == (
        2,
        "study s: gpus_per_trial exceeds the GPUs of a node, and a trial must fit on one node (got 4.0; "
        "the job requests 2 nodes with 2 GPUs each; request more with --gpus)\n",
    )


def test_submit_without_sbatch_prints_one_line(hpo, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, _, err = hpo("submit", "--backend", "slurm", "--study", "s")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("--backend slurm: sbatch is not installed")
    assert not StudyFolder("s").path.exists()


def test_submit_without_ray_job_api_names_the_extra(hpo, monkeypatch):
    monkeypatch.setattr(ray_jobs, "find_spec", lambda name: None)
    code, _, err = hpo("submit", "--backend", "ray", "--study", "s")
    assert code == 2
    assert err == "--backend ray: Ray's job API is not installed (pip install 'hpo-ner[ray-jobs]')\n"


@pytest.mark.parametrize(
    "code, state",
    [(None, "stopped"), (130, "stopped"), (143, "stopped"), (1, "failed"), (2, "failed")],
)
def test_status_after_exit_follows_from_exit_code(empty_folder, code, state):
    folder = StudyFolder("s")
    assert status_after_exit(folder, code).state == state
    write_json(folder.matrix, {})
    assert status_after_exit(folder, code).state == JobState.DONE


def test_read_submission_resubmitted_job_has_new_number(empty_folder):
    folder = StudyFolder("s")
    facts = {"study": "s", "backend": "slurm", "settings": {}, "submitted": ""}
    write_submission(folder, Submission(job="7", log="results/s/cluster/job-7.log", **facts))
    folder.jobs.write_text('{"job":"7","exit":130}\n{"job":"9","after":"7"}\n')
    assert read_submission(folder).job == "9"


@pytest.mark.slow
def test_submit_local_real_search_finishes(hpo):
    Path("s.yaml").write_text(
        yaml.safe_dump({"name": "s", "trials": 2, "fixed": {"epochs": 1}, "subsample": {"train": 0.3}})
    )
    assert hpo("submit", "s.yaml")[0] == 0
    wait_for(lambda: state(hpo) not in ("running", "queued"), seconds=280)
    assert state(hpo) == "done", hpo("logs", "s")[1]
    assert LocalBackend(LocalSettings()).status(read_submission(StudyFolder("s"))).state == JobState.DONE
