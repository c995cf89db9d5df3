"""Trials in real Ray workers, on parts of a GPU or several: out of memory, or short of a process."""

import os
import signal

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


@pytest.fixture
def study():
    options = {"name": "s", "space": SPACE, "trials": 3, "algorithm": "random", "model": "tiny"}
    return build_study(options)


def conduct(study, folder, run_trial):
    controller = TrialController(study, folder)
    try:
        run_search(controller, run_trial, Resources(workers=1, threads=1, gpus=0.0))
    finally:
        controller.close()
    return controller.trials


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_fails_alone(study, corpus, tmp_path):
    """There is no GPU here: the second trial's optimizer raises what PyTorch raises; all else is real."""
    folder = StudyFolder("s", tmp_path / "results")
    real = TrialRunner(study, folder, corpus.folder, "tiny", gpus=0.25)

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

    trials = conduct(study, folder, run_trial)
    assert [trial.state for trial in trials] == [State.COMPLETE, State.FAILED, State.COMPLETE]
    assert [len(trial.measurements) for trial in trials] == [2, 0, 2]
    assert trials[1].reason.startswith("GpuExhausted: batch_size 17 with accumulation_steps 1 needs more")
    assert "\n" not in trials[1].reason


@pytest.mark.slow
def test_a_study_on_two_processes_per_trial_measures_what_one_does_though_a_process_dies(
    study, corpus, tmp_path
):
    folder = StudyFolder("s", tmp_path / "results")
    real = TrialRunner(study, folder, corpus.folder, "tiny", processes=2)
    killed = tmp_path / "killed"

    def run_trial(trial, report):
        def told(measurement):
            continues = report(measurement)
            if trial["number"] == 1 and measurement.epoch == 1 and not killed.exists():
                from hpo.training.ddp.launcher import worker_pool

                killed.touch()
                os.kill(worker_pool(2).workers[1].process.pid, signal.SIGKILL)
            return continues

        real(trial, told)

    trials = conduct(study, folder, run_trial)
    assert killed.exists()
    assert [trial.failures for trial in trials] == [0, 1, 0]
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    for trial in trials:
        alone = []
        train(
            TrainingTask(
                training_config=study.training_config(trial.params),
                corpus=corpus.folder,
                model="tiny",
                train_on="cased",
                seed=trial.seed,
            ),
            TrainingCallbacks(lambda measurement, alone=alone: alone.append(measurement) or True),
        )
        assert [each.step for each in trial.measurements] == [each.step for each in alone] == [8, 16]
        for name in ("loss", "train_loss"):
            together = [getattr(each, name) for each in trial.measurements]
            assert together == pytest.approx([getattr(each, name) for each in alone], rel=2e-4)
        f1 = [each.f1 for each in trial.measurements]
        assert f1 == pytest.approx([each.f1 for each in alone], abs=0.005)
