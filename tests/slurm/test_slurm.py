"""Studies under a real SLURM with two nodes: side by side, preempted, robbed of a node, as an array."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from hpo.search.trial import State, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

REPOSITORY = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("slurm_cluster", Path(__file__).with_name("cluster.py"))
slurm = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slurm)

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing() or "all is there"),
]
WORKER = "ray::"
"""How a trial's process calls itself once it has started."""
PATIENCE_S = 400


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        cluster.environment |= {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        yield cluster


@pytest.fixture
def work(empty_folder):
    """A folder with a site's profile in it, whose jobs find this checkout's hpo."""
    program = empty_folder / "bin" / "hpo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hpo "$@"\n')
    program.chmod(0o755)
    site = {"partition": "low", "notice_s": 50, "setup": [f'export PATH={program.parent}:"$PATH"']}
    (empty_folder / "site.yaml").write_text(yaml.safe_dump(site))
    return empty_folder


@pytest.fixture
def hpo(cluster, work):
    """Calls the program; what it printed as JSON."""

    def call(*words):
        command = [sys.executable, "-m", "hpo", *words, "--json"]
        done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return call


def write_study(name, trials, epochs):
    study = {"name": name, "trials": trials, "algorithm": "random", "fixed": {"epochs": epochs}}
    Path(f"{name}.yaml").write_text(
        yaml.safe_dump(study | {"subsample": {"train": 0.3, "dev": 0.3, "test": 0.2}})
    )
    return f"{name}.yaml"


def lines_of(name):
    return list(read_lines(StudyFolder(name).trials))


def measured_once(lines):
    """Whether no measurement was made twice: a trial that went on did so from its last evaluation."""
    epochs = Counter(
        (line["trial"], each["epoch"]) for line in lines for each in line.get("measurements", ())
    )
    return set(epochs.values()) == {1}


def wait_for_end(cluster, hpo, name):
    try:
        cluster.wait_until(
            lambda: hpo("status", name)["state"] not in ("queued", "running"), PATIENCE_S, "an end"
        )
    finally:
        log = hpo("logs", name)["log"]
        print(log)
    return hpo("status", name), log


def trains_on(cluster, node):
    return any(command.startswith(WORKER) for command in cluster.processes(node).values())


def test_slurm_two_node_study_survives_preemption(cluster, work, hpo):
    (submission,) = hpo(
        "submit", write_study("taken", 4, 3), "--backend", "slurm", "--nodes", "2", "--profile", "site.yaml"
    )
    both = lambda: all(trains_on(cluster, node) for node in slurm.NODES)  # noqa: E731
    cluster.wait_until(both, PATIENCE_S, "trials run on both nodes")
    begun = lambda: len([line for line in lines_of("taken") if "measurements" in line]) >= 3  # noqa: E731
    cluster.wait_until(begun, PATIENCE_S, "three measurements")
    cluster.ask(
        "sbatch", "--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2"
    )
    restarts = StudyFolder("taken").restarts
    cluster.wait_until(restarts.exists, 60, "the job is interrupted")
    before = lines_of("taken")
    assert [trial.state for trial in read_trials(before)].count(State.RUNNING) == 2
    status, log = wait_for_end(cluster, hpo, "taken")
    assert (status["state"], status["job"], status["ended"]) == ("done", submission["job"], 4)
    assert restarts.read_text() == "1\n"
    assert "USR1: asked the driver to stop" in log
    assert "restart 1 of at most 10" in log
    after = read_trials(lines_of("taken"))
    assert [trial.state for trial in after] == [State.COMPLETE] * 4
    # The journal is one line per trial by now: nothing measured before was thrown away or made again.
    for trial in read_trials(before):
        kept = after[trial.number].measurements[: len(trial.measurements)]
        assert kept == trial.measurements
    assert measured_once(lines_of("taken"))
    assert not list(StudyFolder("taken").cluster.glob("run-*"))


def test_slurm_study_losing_a_node_finishes_on_the_other(cluster, work, hpo):
    hpo("submit", write_study("robbed", 3, 3), "--backend", "slurm", "--nodes", "2", "--profile", "site.yaml")
    ready = lambda: trains_on(cluster, "n2") and len(lines_of("robbed")) >= 4  # noqa: E731
    cluster.wait_until(ready, PATIENCE_S, "a trial runs on the second node")
    cluster.kill_work("n2")
    status, _ = wait_for_end(cluster, hpo, "robbed")
    assert (status["state"], status["ended"]) == ("done", 3)
    trials = read_trials(lines_of("robbed"))
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    assert sum(trial.failures for trial in trials) == 1
    assert measured_once(lines_of("robbed"))


def test_slurm_grid_is_an_array_with_an_element_per_row(cluster, work, hpo):
    words = ["--train-on", "cased,uncased", "--trials", "1", "--epochs", "1", "--alg", "random"]
    command = [
        sys.executable,
        "-m",
        "hpo",
        "grid",
        *words,
        "--backend",
        "slurm",
        "--profile",
        "site.yaml",
    ]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    names = [each["study"] for each in hpo("status")]
    assert len(names) == 2
    ends = [wait_for_end(cluster, hpo, name)[0] for name in names]
    assert [end["state"] for end in ends] == ["done"] * 2
    first, second = (end["job"].split("_") for end in ends)
    assert (first[0], first[1], second[1]) == (second[0], "0", "1")
    rows = hpo("matrix")
    assert [row["trained_on"] for row in rows] == ["cased", "uncased"]


def test_slurm_stopped_study_resumes(cluster, work, hpo):
    (first,) = hpo("submit", write_study("halted", 2, 3), "--backend", "slurm", "--profile", "site.yaml")
    cluster.wait_until(lambda: len(lines_of("halted")) >= 2, PATIENCE_S, "a measurement")
    assert hpo("stop", "halted")["asked"]
    status, log = wait_for_end(cluster, hpo, "halted")
    assert status["state"] == "stopped"
    assert "stopped by hpo stop" in log
    assert cluster.ask("squeue", "--noheader") == ""
    (second,) = hpo("resume", "halted", "--backend", "slurm")
    assert second["job"] != first["job"]
    status, _ = wait_for_end(cluster, hpo, "halted")
    assert status["state"] == "done"
    assert measured_once(lines_of("halted"))
