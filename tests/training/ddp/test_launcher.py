"""A trial in two processes over gloo gives the results of one process, and reports a dead process."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch

from hpo.config.training_config import TrainingConfig
from hpo.models.build import build_model
from hpo.training.ddp.launcher import RankFailed, train_distributed, worker_pool
from hpo.training.measurement import read_snapshot
from hpo.training.resume import WEIGHTS
from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask, WorkerDied
from hpo.training.trainer import train

torch.set_num_threads(1)

TOLERANCE = 2e-4
"""Relative, for losses: the order of 32-bit sums changes them by this much over some epochs of Adam."""

# 120 sentences in batches of 17: the last has one row, so the second process has none.
BASE_CONFIG = TrainingConfig(
    learning_rate=1e-3, epochs=2, batch_size=17, evals_per_epoch=2, attention_dropout=0, hidden_dropout=0
)
CONFIGS = {
    "plain": BASE_CONFIG,
    # The last batch has five rows, so the first process has three parts and the second two.
    "in parts": BASE_CONFIG.model_copy(
        update={
            "batch_size": 23,
            "accumulation_steps": 3,
            "label_smoothing": 0.1,
            "class_weighting": "inverse",
        }
    ),
    "adaptive": BASE_CONFIG.model_copy(
        update={"lr_schedule": "adaptive", "patience": 1, "cooldown_epochs": 1, "epochs": 3, "min_delta": 0.9}
    ),
}


@pytest.fixture(scope="module", autouse=True)
def shut_down_pool():
    yield
    if worker_pool.cache_info().currsize:
        worker_pool(2).shutdown()


def run(corpus, training_config, processes, *, until=None, **settings):
    measurements = []

    def report(measurement):
        measurements.append(measurement)
        return until is None or measurement.epoch < until

    callbacks = TrainingCallbacks(
        settings.pop("report", report), settings.pop("on_new_best", lambda measurement: None)
    )
    options = {"model": "tiny", "train_on": "cased", "seed": 1} | settings
    task = TrainingTask(training_config=training_config, corpus=corpus.folder, **options)
    if processes == 1:
        train(task, callbacks)
    else:
        train_distributed(processes, task, callbacks)
    return measurements


def curve(measurements):
    return [(each.epoch, each.step) for each in measurements]


def losses(measurements):
    return [loss for each in measurements for loss in (each.train_loss, each.loss)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_train_distributed_gives_the_measurements_of_one_process(corpus, name):
    one, two = (run(corpus, CONFIGS[name], processes) for processes in (1, 2))
    assert len(one) >= 4
    assert curve(two) == curve(one), "steps, evaluations and the end are the same"
    assert losses(two) == pytest.approx(losses(one), rel=TOLERANCE)
    assert [each.f1 for each in two] == pytest.approx([each.f1 for each in one], abs=0.005)


@pytest.mark.slow
def test_train_distributed_when_resumed_continues_exactly(corpus, tmp_path):
    from safetensors.torch import load_file

    training_config = BASE_CONFIG.model_copy(update={"hidden_dropout": 0.1})
    whole = run(
        corpus,
        training_config,
        2,
        resume_dir=tmp_path / "whole",
        on_new_best=lambda measurement: tmp_path / "best",
    )
    first = run(corpus, training_config, 2, resume_dir=tmp_path / "cut", until=0.5)
    assert len(first) == 1, "a report can stop all of them"
    rest = run(corpus, training_config, 2, resume_dir=tmp_path / "cut")
    timeless = [replace(each, seconds=0.0) for each in (*first, *rest)]
    assert timeless == [replace(each, seconds=0.0) for each in whole]
    assert read_snapshot(tmp_path / "cut").last == rest[-1]
    weights = [load_file(tmp_path / name / WEIGHTS) for name in ("whole", "cut")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert (tmp_path / "best" / "model.safetensors").exists()


@pytest.mark.slow
def test_worker_pool_is_reused_until_a_worker_fails(corpus, tmp_path):
    broken = build_model("tiny", corpus.label_names, corpus.vocabulary, BASE_CONFIG, 1)
    torch.nn.init.constant_(broken.bert.embeddings.LayerNorm.weight, float("nan"))
    broken.save_pretrained(tmp_path)
    training_config = BASE_CONFIG.model_copy(update={"epochs": 1, "batch_size": 60})
    run(corpus, training_config, 2)
    before = worker_pool(2)
    run(corpus, training_config, 2)
    assert worker_pool(2) is before
    with pytest.raises(NonFiniteLoss, match="not finite after step"):
        run(corpus, training_config, 2, model=str(tmp_path))
    assert all(worker.process.poll() is not None for worker in before.workers)
    with pytest.raises(RankFailed, match=r"^UserError: model: cannot be loaded"):
        run(corpus, training_config, 2, model="/no/such/model")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_killed_worker_ends_the_trial_and_the_next_trial_runs(corpus, victim):
    killed = []

    def kill():
        killed.append(time.monotonic())
        os.kill(worker_pool(2).workers[victim].process.pid, signal.SIGKILL)

    def report(measurement):
        if measurement.step == 4:
            threading.Timer(0.2, kill).start()
        return True

    with pytest.raises(WorkerDied, match=f"^process {victim + 1} of the trial's 2 was killed by SIGKILL$"):
        run(corpus, BASE_CONFIG.model_copy(update={"epochs": 500}), 2, report=report)
    assert time.monotonic() - killed[0] < 10
    assert run(corpus, BASE_CONFIG.model_copy(update={"epochs": 1}), 2)


@pytest.mark.slow
def test_exception_of_report_is_raised_after_the_workers_finish(corpus, tmp_path):
    """Ray stops a trial by an exception in its report."""

    def report(measurement):
        raise SystemExit

    run(corpus, BASE_CONFIG.model_copy(update={"epochs": 1}), 2)
    before = worker_pool(2)
    with pytest.raises(SystemExit):
        run(corpus, BASE_CONFIG, 2, report=report, on_new_best=lambda measurement: tmp_path / "best")
    assert (tmp_path / "best" / "model.safetensors").exists(), "its best model is written out first"
    assert worker_pool(2) is before
