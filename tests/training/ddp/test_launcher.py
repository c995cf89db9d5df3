"""A trial in two processes, over gloo on the CPU, is the trial in one; one that loses a process is told."""

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
from hpo.training.ddp.process_group import ProcessGroup
from hpo.training.gpu_memory import GpuExhausted, limit_gpu_memory, memory_fraction
from hpo.training.measurement import read_snapshot
from hpo.training.resume import WEIGHTS
from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask, WorkerDied
from hpo.training.trainer import train

torch.set_num_threads(1)

TOLERANCE = 2e-4
"""Of losses, relative; sums of 32-bit floats in another order drift apart by so much in epochs of Adam."""

# 120 sentences in batches of 17: the last has one row, and so none for the second process.
PLAIN = TrainingConfig(
    learning_rate=1e-3, epochs=2, batch_size=17, evals_per_epoch=2, attention_dropout=0, hidden_dropout=0
)
RECIPES = {
    "plain": PLAIN,
    # The last batch has five rows, and so three parts in the first process and two in the second.
    "in parts": PLAIN.model_copy(
        update={
            "batch_size": 23,
            "accumulation_steps": 3,
            "label_smoothing": 0.1,
            "class_weighting": "inverse",
        }
    ),
    "adaptive": PLAIN.model_copy(
        update={"lr_schedule": "adaptive", "patience": 1, "cooldown_epochs": 1, "epochs": 3, "min_delta": 0.9}
    ),
}


@pytest.fixture(scope="module", autouse=True)
def dismissed():
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
@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_train_as_one_does(corpus, name):
    one, two = (run(corpus, RECIPES[name], processes) for processes in (1, 2))
    assert len(one) >= 4
    assert curve(two) == curve(one), "steps, evaluations and the end are the same"
    assert losses(two) == pytest.approx(losses(one), rel=TOLERANCE)
    assert [each.f1 for each in two] == pytest.approx([each.f1 for each in one], abs=0.005)


@pytest.mark.slow
def test_weights_best_model_and_snapshot_are_the_leaders_and_a_run_goes_on_from_there(corpus, tmp_path):
    from safetensors.torch import load_file

    training_config = PLAIN.model_copy(update={"hidden_dropout": 0.1})
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
def test_the_processes_stay_from_trial_to_trial_until_one_fails(corpus, tmp_path):
    spoilt = build_model("tiny", corpus.label_names, corpus.vocabulary, PLAIN, 1)
    torch.nn.init.constant_(spoilt.bert.embeddings.LayerNorm.weight, float("nan"))
    spoilt.save_pretrained(tmp_path)
    training_config = PLAIN.model_copy(update={"epochs": 1, "batch_size": 60})
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
def test_a_process_that_is_killed_loses_the_trial_at_once_and_the_next_one_runs(corpus, victim):
    killed = []

    def kill():
        killed.append(time.monotonic())
        os.kill(worker_pool(2).workers[victim].process.pid, signal.SIGKILL)

    def report(measurement):
        if measurement.step == 4:
            threading.Timer(0.2, kill).start()
        return True

    with pytest.raises(WorkerDied, match=f"^process {victim + 1} of the trial's 2 was killed by SIGKILL$"):
        run(corpus, PLAIN.model_copy(update={"epochs": 500}), 2, report=report)
    assert time.monotonic() - killed[0] < 10
    assert run(corpus, PLAIN.model_copy(update={"epochs": 1}), 2)


@pytest.mark.slow
def test_what_stops_the_report_comes_out_of_it_after_the_processes_have_ended_the_trial(corpus, tmp_path):
    """Ray ends the thread of a trial that it stops from within its report."""

    def report(measurement):
        raise SystemExit

    run(corpus, PLAIN.model_copy(update={"epochs": 1}), 2)
    before = worker_pool(2)
    with pytest.raises(SystemExit):
        run(corpus, PLAIN, 2, report=report, on_new_best=lambda measurement: tmp_path / "best")
    assert (tmp_path / "best" / "model.safetensors").exists(), "its best model is written out first"
    assert worker_pool(2) is before


def test_a_process_that_is_alone_has_rank_0_of_1():
    assert ProcessGroup.current() == ProcessGroup()


@pytest.mark.parametrize(
    "gpus, total, expected",
    [(0.25, 80 * 2**30, 0.25 - 0.5 / 80), (0.5, 16 * 2**30, 0.5 - 0.5 / 16), (0.1, 4 * 2**30, 0.05)],
)
def test_shares_leave_room_for_what_is_not_counted(gpus, total, expected):
    assert memory_fraction(gpus, total) == pytest.approx(expected)


def test_memory_that_runs_out_is_told_in_one_line_and_given_back():
    class Heavy:
        alive = 0

        def __init__(self):
            Heavy.alive += 1

        def __del__(self):
            Heavy.alive -= 1

    def compute():
        model = Heavy()
        raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {model}")

    with pytest.raises(GpuExhausted) as caught, limit_gpu_memory(TrainingConfig(batch_size=64), 0.25):
        compute()
    assert str(caught.value) == (
        "batch_size 64 with accumulation_steps 1 needs more memory than 0.25 of a GPU has "
        "(search smaller batches, or fix a higher accumulation_steps, "
        "or put fewer trials on a GPU: raise gpus_per_trial)"
    )
    assert Heavy.alive == 0, "though the exception is still there"


def test_a_share_of_a_gpu_is_kept_to_and_whole_ones_are_not(monkeypatch):
    """The GPU is feigned: only what PyTorch would be asked is seen."""
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: type("Gpu", (), {"total_memory": 64 * 2**30})
    )
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    for gpus in (0, 1, 4, 0.5):
        with limit_gpu_memory(TrainingConfig(), gpus):
            pass
    assert asked == [0.5 - 0.5 / 64]
