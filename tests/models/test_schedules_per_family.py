"""Learning rate schedules, patience and cool-down take effect in a run of every model family."""

import math

import pytest

from hpo.config.training_config import TrainingConfig
from hpo.training.lr_schedules import TrainingSteps, lr_multiplier

SCHEDULES = (
    {"lr_schedule": "linear", "warmup_ratio": 0.3},
    {"lr_schedule": "cosine", "warmup_epochs": 2},
    {"lr_schedule": "cosine_with_restarts", "lr_cycles": 2, "warmup_steps": 4},
    {"lr_schedule": "constant", "warmup_steps": 5},
    {"lr_schedule": "exponential", "lr_gamma": 0.5, "warmup_ratio": 0.2},
    {"lr_schedule": "hybrid", "cooldown_epochs": 2, "warmup_epochs": 1},
)


@pytest.mark.parametrize("hyperparameters", SCHEDULES, ids=lambda each: each["lr_schedule"])
def test_learning_rate_of_every_family_follows_the_schedule(
    folder, encoded, monkeypatch, hyperparameters, run_and_record
):
    training_config = TrainingConfig(
        learning_rate=1e-3, epochs=4, batch_size=24, evals_per_epoch=1, **hyperparameters
    )
    scores = dict.fromkeys(("f1", "precision", "recall", "accuracy", "loss"), 0.5)
    monkeypatch.setattr("hpo.training.dev_evaluator.DevEvaluator.evaluate", lambda *args: scores)
    _, seen = run_and_record(folder, encoded, training_config, learn=False)
    steps_per_epoch = len(seen["rates"]) // 4
    steps = TrainingSteps.of(training_config, steps_per_epoch)
    multipliers = [lr_multiplier(training_config, steps, step) for step in range(4 * steps_per_epoch)]
    assert seen["rates"] == [pytest.approx([1e-3 * multiplier] * 2) for multiplier in multipliers]
    warmup_steps = math.ceil(
        training_config.warmup_ratio * 4 * steps_per_epoch
        or training_config.warmup_epochs * steps_per_epoch
        or training_config.warmup_steps
    )
    assert warmup_steps >= 2
    rising = [rates[0] for rates in seen["rates"][:warmup_steps]]
    assert rising == pytest.approx([1e-3 * step / warmup_steps for step in range(warmup_steps)])


def test_patience_of_every_family_ends_the_run(folder, encoded, run_and_record):
    hyperparameters = {"epochs": 5, "batch_size": 30, "evals_per_epoch": 1, "patience": 2}
    stops = TrainingConfig(**hyperparameters, min_delta=50, early_stopping_metric="loss")
    continues = TrainingConfig(**hyperparameters, learning_rate=1e-3, early_stopping_metric="loss")
    assert len(run_and_record(folder, encoded, stops, learn=False)[0]) == 3
    assert len(run_and_record(folder, encoded, continues)[0]) > 3


@pytest.mark.parametrize("restarts", [True, False])
def test_adaptive_schedule_of_every_family_cools_down_and_restarts(
    folder, encoded, monkeypatch, restarts, run_and_record
):
    training_config = TrainingConfig(
        learning_rate=1e-3, epochs=9, batch_size=30, evals_per_epoch=1, lr_schedule="adaptive", patience=1,
        cooldown_epochs=3, cooldown_restarts=restarts, early_stopping_metric="loss",
    )  # fmt: skip
    losses = iter([3.0, 4.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    scores = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.5}
    monkeypatch.setattr(
        "hpo.training.dev_evaluator.DevEvaluator.evaluate", lambda *args: scores | {"loss": next(losses)}
    )
    measured, seen = run_and_record(folder, encoded, training_config, learn=False)
    steps_per_epoch = len(seen["rates"]) // len(measured)
    at = [rates[0] for rates in seen["rates"]]
    assert (
        at[2 * steps_per_epoch] == pytest.approx(1e-3) and at[3 * steps_per_epoch - 1] < 1e-3
    )  # cools down after epoch 2
    assert (at[3 * steps_per_epoch] == pytest.approx(1e-3)) == restarts
    assert len(measured) == (7 if restarts else 5)
