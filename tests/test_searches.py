"""Whole searches of the demo, minutes long: `make test-slow`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hpo.config.algorithms import ALGORITHMS
from hpo.config.training_config import TrainingConfig
from hpo.corpora.loading import load
from hpo.corpora.tag_families import apply, load_family
from hpo.corpora.variants import VARIANTS
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.evaluation.checkpoint_scores import score_checkpoint
from hpo.search.trial import State, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PROJECT = Path(__file__).resolve().parent.parent
PREFIX = [sys.executable, "-m", "hpo"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1"}


def hpo(*arguments, cwd):
    return subprocess.run(
        [*PREFIX, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def trials_of(place, name):
    return read_trials(read_lines(StudyFolder(name, place / "results").trials))


def write_part_of_the_demo(path):
    lines = [
        json.dumps({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels})
        for each in load("demo").splits["train"][:300]
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def without_time(trial):
    return (
        trial.params,
        trial.seed,
        trial.state,
        [
            {key: value for key, value in each.to_json().items() if key != "seconds"}
            for each in trial.measurements
        ],
    )


def test_run_with_the_same_seed_and_one_worker_is_reproducible(tmp_path):
    write_part_of_the_demo(tmp_path / "train.jsonl")
    for name in ("one", "two"):
        options = ("--trials", 14, "--epochs", 4, "--workers", 1, "--study", name)
        done = hpo("run", "--data", "train.jsonl", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    first, second = (list(map(without_time, trials_of(tmp_path, name))) for name in ("one", "two"))
    assert first == second
    rows = [json.loads(hpo("matrix", name, "--json", cwd=tmp_path).stdout)[0] for name in ("one", "two")]
    assert rows[0]["scores"] == rows[1]["scores"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_run_with_each_algorithm_prints_a_matrix(tmp_path, algorithm):
    write_part_of_the_demo(tmp_path / "train.jsonl")
    options = ("--alg", algorithm, "--trials", 6, "--epochs", 3, "--study", "s", "--data", "train.jsonl")
    done = hpo("run", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| Original   | cased" in done.stdout
    trials = trials_of(tmp_path, "s")
    assert 0 < len(trials) <= 6
    assert all(trial.state in (State.COMPLETE, State.STOPPED) for trial in trials)
    assert max(trial.epochs for trial in trials) == 3
    folder = StudyFolder("s", tmp_path / "results")
    assert not folder.snapshots.exists() and not folder.checkpoints.exists()
    assert (folder.best / "1" / "model.safetensors").exists()


def test_resume_after_a_killed_driver_keeps_ended_trials(tmp_path):
    command = [*PREFIX, "run", "--trials", "8", "--epochs", "2", "--study", "killed"]
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=log, stderr=log)
        journal = StudyFolder("killed", tmp_path / "results").trials
        while sum(trial.state != State.RUNNING for trial in read_trials(read_lines(journal))) < 3:
            assert driver.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    before = {trial.number: trial for trial in trials_of(tmp_path, "killed") if trial.state != State.RUNNING}
    assert 3 <= len(before) < 8
    resumed = hpo("resume", "killed", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = trials_of(tmp_path, "killed")
    assert [trial.number for trial in after] == list(range(8))
    assert {number: after[number] for number in before} == before
    assert all(trial.state in (State.COMPLETE, State.STOPPED) for trial in after)


GOOD = TrainingConfig(learning_rate=2e-3, batch_size=16, epochs=9, warmup_ratio=0.06, evals_per_epoch=1)
BAD = GOOD.model_copy(update={"learning_rate": 5e-5, "batch_size": 64})


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.chdir(tmp_path_factory.mktemp("demo"))
    torch.set_num_threads(2)
    family = load_family("suc-original")
    yield encode_corpus(apply(family, load("demo")), family, "tiny", EncodingOptions(max_length=512, seed=42))
    patch.undo()


def scored(demo, training_config, train_on, folder):
    train(
        TrainingTask(
            training_config=training_config, corpus=demo.folder, model="tiny", train_on=train_on, seed=1
        ),
        TrainingCallbacks(lambda measurement: True, lambda measurement: folder),
    )
    return {variant: scores.f1 for variant, scores in score_checkpoint(folder, demo, ["dev"])["dev"].items()}


def test_bad_configuration_on_the_demo_scores_below_one_half(demo, tmp_path):
    assert scored(demo, BAD, "cased", tmp_path / "best")["cased"] < 0.5


def test_demo_scores_follow_the_published_pattern(demo, tmp_path):
    f1 = {
        name: scored(demo, GOOD, name, tmp_path / name) for name in ("cased", "uncased", "uncased-cased-mix")
    }
    assert all(list(each) == list(VARIANTS) for each in f1.values())
    assert f1["cased"]["cased"] > 0.8
    assert f1["cased"]["uncased"] < f1["cased"]["cased"] - 0.3
    assert f1["cased"]["ne-lower"] < f1["cased"]["cased"] - 0.3
    assert f1["uncased"]["uncased"] > f1["cased"]["cased"] - 0.1
    assert f1["uncased-cased-mix"]["cased"] > 0.75
    assert f1["uncased-cased-mix"]["uncased"] > 0.7
    assert f1["uncased-cased-mix"]["ne-lower"] > 0.65
