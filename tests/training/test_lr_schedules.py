"""Learning rate schedules, as formulas and in the optimizer."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import broken_rules
from hpo.training.lr_schedules import TrainingSteps, lr_multiplier
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

torch.set_num_threads(1)
STEPS_PER_EPOCH = 10


def factors(steps_per_epoch=STEPS_PER_EPOCH, cooling_since=None, **hyperparameters):
    training_config = TrainingConfig(**hyperparameters)
    steps = TrainingSteps.of(training_config, steps_per_epoch)
    return [lr_multiplier(training_config, steps, step, cooling_since) for step in range(steps.total + 1)]


@pytest.mark.parametrize("ratio", [0, 0.06, 0.25, 1.0])
@pytest.mark.parametrize(
    ("lr_schedule", "theirs", "settings"),
    [
        ("linear", "linear", {}),
        ("cosine", "cosine", {}),
        ("cosine_with_restarts", "cosine_with_restarts", {"num_cycles": 3}),
        ("constant", "constant_with_warmup", {}),
    ],
)
def test_lr_multiplier_of_common_schedules_matches_transformers(lr_schedule, theirs, settings, ratio):
    ours = factors(lr_schedule=lr_schedule, epochs=5, warmup_ratio=ratio, lr_cycles=3)[:-1]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = get_scheduler(
        theirs, optimizer, math.ceil(ratio * 50), 50, scheduler_specific_kwargs=settings
    )
    expected = [reference.lr_lambdas[0](step) for step in range(50)]
    assert ours == pytest.approx(expected)


@pytest.mark.parametrize(
    "warmup",
    [{"warmup_ratio": 0.1}, {"warmup_epochs": 0.5}, {"warmup_steps": 5}],
    ids=lambda each: next(iter(each)),
)
def test_warmup_in_ratio_epochs_or_steps_is_equal(warmup):
    rising = factors(lr_schedule="constant", epochs=5, **warmup)
    assert rising[:7] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    assert set(rising[6:]) == {1.0}


def test_exponential_schedule_decays_once_per_epoch():
    assert (
        factors(lr_schedule="exponential", lr_gamma=0.5, epochs=3)[:-1]
        == [1.0] * 10 + [0.5] * 10 + [0.25] * 10
    )


def test_hybrid_schedule_decays_to_zero_in_the_last_epochs():
    rates = factors(lr_schedule="hybrid", cooldown_epochs=2, warmup_epochs=1, epochs=5)
    assert rates[10:31] == [1.0] * 21
    assert rates[31:] == pytest.approx([1 - step / 20 for step in range(1, 21)])


def test_adaptive_schedule_decays_from_the_start_of_the_cooldown():
    hyperparameters = {"lr_schedule": "adaptive", "patience": 1, "cooldown_epochs": 2, "epochs": 9}
    assert set(factors(**hyperparameters)) == {1.0}
    cooling = factors(**hyperparameters, cooling_since=3.5)
    assert set(cooling[:36]) == {1.0}
    assert cooling[36:55] == pytest.approx([1 - step / 20 for step in range(1, 20)])
    assert set(cooling[55:]) == {0.0}


@given(
    st.sampled_from(
        ["linear", "cosine", "cosine_with_restarts", "constant", "exponential", "hybrid", "adaptive"]
    ),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from(["warmup_ratio", "warmup_epochs", "warmup_steps"]),
    st.floats(0, 1),
    st.floats(0.1, 12),
    st.integers(0, 500),
)
def test_lr_multiplier_of_every_schedule_is_between_0_and_1(
    lr_schedule, steps_per_epoch, epochs, warmup, share, cooldown, step
):
    hyperparameters = {
        "lr_schedule": lr_schedule,
        "epochs": epochs,
        "patience": int(lr_schedule == "adaptive"),
        "cooldown_epochs": min(cooldown, epochs),
        warmup: round(share * 50) if warmup == "warmup_steps" else share,
    }
    defaults = {name: (field.default,) for name, field in TrainingConfig.model_fields.items()}
    if list(broken_rules(defaults | {name: (value,) for name, value in hyperparameters.items()})):
        return
    training_config = TrainingConfig(**hyperparameters)
    rate = lr_multiplier(
        training_config, TrainingSteps.of(training_config, steps_per_epoch), step, share * epochs
    )
    assert 0 <= rate <= 1


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"warmup_ratio": 0.06},
        {"warmup_epochs": 0.75, "lr_schedule": "cosine_with_restarts", "lr_cycles": 2},
        {"warmup_steps": 3, "lr_schedule": "exponential", "lr_gamma": 0.3},
        {"lr_schedule": "hybrid", "cooldown_epochs": 1.5, "warmup_ratio": 0.2},
    ],
    ids=str,
)
def test_train_steps_with_the_rates_of_the_schedule(corpus, optimizer_rates, hyperparameters):
    training_config = TrainingConfig(
        learning_rate=1e-3, epochs=3, batch_size=15, evals_per_epoch=1, **hyperparameters
    )
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda measurement: True),
    )
    steps = TrainingSteps.of(training_config, 8)
    assert steps.total == len(optimizer_rates) == 24
    assert optimizer_rates == pytest.approx(
        [1e-3 * lr_multiplier(training_config, steps, step) for step in range(24)]
    )
    if "warmup_ratio" in hyperparameters:
        rise = math.ceil(hyperparameters["warmup_ratio"] * 24)
        assert optimizer_rates[: rise + 1] == pytest.approx([1e-3 * step / rise for step in range(rise + 1)])
