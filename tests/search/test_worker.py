"""`TrialRunner` in Ray workers, and the import of the training libraries in a worker."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.ray.driver import Resources, run_search
from hpo.search.trial import State
from hpo.search.worker import TrialRunner
from hpo.storage.study_folder import StudyFolder
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 5e-4, "high": 2e-3}},
    "fixed": {
        "epochs": 2,
        "batch_size": 17,
        "evals_per_epoch": 1,
        "hidden_dropout": 0,
        "attention_dropout": 0,
    },
}
COUNT_COLLECTIONS = """
import gc
from hpo.search.worker import load_libraries
collections = []
gc.callbacks.append(lambda phase, info: collections.append(phase))
load_libraries()
import sys
print(len(collections), gc.isenabled(), "hpo.training.trainer" in sys.modules)
before = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
load_libraries()
print(before > 100_000, gc.get_freeze_count() == before)
"""


def test_load_libraries_excludes_imports_from_garbage_collection():
    process = subprocess.run(
        [sys.executable, "-c", COUNT_COLLECTIONS], capture_output=True, text=True, check=True
    )
    assert process.stdout.split("\n")[:2] == ["0 True True", "True True"]


@pytest.fixture
def study():
    options = {"name": "s", "space": SPACE, "trials": 3, "algorithm": "random", "model": "tiny"}
    return build_study(options)


def run_study(study, folder, run_trial):
    controller = TrialController(study, folder)
    try:
        run_search(controller, run_trial, Resources(workers=1, threads=1, gpus=0.0))
    finally:
        controller.close()
    return controller.trials


@pytest.mark.slow
def test_trial_out_of_gpu_memory_fails_without_affecting_others(study, corpus, tmp_path):
    """The optimizer of the second trial raises the exception that PyTorch raises on a GPU."""
    folder = StudyFolder("s", tmp_path / "results")
    real = TrialRunner(study, folder, "tiny", {(512, 0): corpus.folder}, gpus=0.25)

    def run_trial(trial, report):
        step = torch.optim.AdamW.step

        def exhausted(*args, **kwargs):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has …")

        try:
            if trial["number"] == 1:
                torch.optim.AdamW.step = exhausted
            real(trial, report)
        finally:
            torch.optim.AdamW.step = step

    trials = run_study(study, folder, run_trial)
    assert [trial.state for trial in trials] == [State.COMPLETE, State.FAILED, State.COMPLETE]
    assert [len(trial.measurements) for trial in trials] == [2, 0, 2]
    assert trials[1].reason.startswith("GpuExhausted: batch_size 17 with accumulation_steps 1 needs more")
    assert "\n" not in trials[1].reason


@pytest.mark.slow
def test_trials_in_two_processes_give_the_measurements_of_one_although_a_process_dies(
    study, corpus, tmp_path
):
    folder = StudyFolder("s", tmp_path / "results")
    real = TrialRunner(study, folder, "tiny", {(512, 0): corpus.folder}, processes=2)
    killed = tmp_path / "killed"

    def run_trial(trial, report):
        def kill_once(measurement):
            continues = report(measurement)
            if trial["number"] == 1 and measurement.epoch == 1 and not killed.exists():
                from hpo.training.ddp.launcher import worker_pool

                killed.touch()
                os.kill(worker_pool(2).workers[1].process.pid, signal.SIGKILL)
            return continues

        real(trial, kill_once)

    trials = run_study(study, folder, run_trial)
    assert killed.exists()
    assert [trial.failures for trial in trials] == [0, 1, 0]
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    for trial in trials:
        single = []
        train(
            TrainingTask(
                training_config=study.training_config(trial.params),
                corpus=corpus.folder,
                model="tiny",
                train_on="cased",
                seed=trial.seed,
            ),
            TrainingCallbacks(lambda measurement, single=single: single.append(measurement) or True),
        )
        assert [each.step for each in trial.measurements] == [each.step for each in single] == [8, 16]
        for name in ("loss", "train_loss"):
            together = [getattr(each, name) for each in trial.measurements]
            assert together == pytest.approx([getattr(each, name) for each in single], rel=2e-4)
        f1 = [each.f1 for each in trial.measurements]
        assert f1 == pytest.approx([each.f1 for each in single], abs=0.005)
