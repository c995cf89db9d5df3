"""Early stopping ends a run or starts a cool-down, and a resumed run continues it."""

import json
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.training_config import TrainingConfig
from hpo.training.early_stopping import EarlyStopping
from hpo.training.measurement import SNAPSHOT_FILE, read_snapshot
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

torch.set_num_threads(1)
ADAPTIVE = {"lr_schedule": "adaptive", "early_stopping_metric": "loss", "patience": 1, "cooldown_epochs": 2}


def update_over(training_config, losses, f1=0.5):
    """Return the state after each dev loss, one per epoch, until the run ends."""
    early_stopping, states = EarlyStopping(), []
    for epoch, loss in enumerate(losses, 1):
        early_stopping = early_stopping.update(training_config, f1, loss, float(epoch))
        states.append(early_stopping)
        if early_stopping.over:
            break
    return states


@pytest.mark.parametrize(
    ("patience", "losses", "ends"),
    [
        (0, [3, 4, 5, 6, 7], None),
        (1, [3, 2, 2.5, 1], 3),
        (2, [3, 2, 2.5, 1, 1.5, 1.2, 0], 6),
        (2, [3, 3, 3, 3], 3),
    ],
)
def test_update_without_a_lower_loss_ends_after_patience_evaluations(patience, losses, ends):
    measured = update_over(TrainingConfig(patience=patience, early_stopping_metric="loss"), losses)
    assert (len(measured) if measured[-1].over else None) == ends


def test_update_with_min_delta_requires_a_larger_improvement():
    training_config = TrainingConfig(patience=2, early_stopping_metric="loss", min_delta=0.5)
    assert len(update_over(training_config, [3, 2.5, 2.5, 0])) == 3
    assert len(update_over(training_config, [3, 2.75, 2.25, 1.75])) == 4
    by_f1 = TrainingConfig(patience=1, min_delta=0.125)
    assert EarlyStopping(0.5, 1.0).update(by_f1, 0.625, 1.0, 1.0).over
    assert not EarlyStopping(0.5, 1.0).update(by_f1, 0.75, 1.0, 1.0).over


def test_update_with_tied_f1_compares_the_loss():
    training_config = TrainingConfig(patience=1)
    assert not update_over(training_config, [3, 2, 1], f1=0.0)[-1].over
    assert update_over(training_config, [3, 2, 2], f1=0.0)[-1].over
    assert EarlyStopping(0.5, 3.0).update(training_config, 0.4, 1.0, 1.0).over, (
        "the loss counts only where F1 ties"
    )


def nerblackbox_reference(losses, patience, cooldown, restarts):
    """Return the epochs until the end and the rate changes, as nerblackbox's callback counts them."""
    best, wait, cooling, changes = float("inf"), 0, False, []
    for epoch, loss in enumerate(losses, 1):
        if loss < best and (restarts or not cooling):
            best, wait = loss, 0
            if cooling:
                cooling = False
                changes.append((epoch, "constant"))
        else:
            wait += 1
            if wait == patience + 1 and not cooling:
                cooling = True
                changes.append((epoch, "cool-down"))
            if wait == patience + 1 + cooldown:
                return epoch, changes
    return None, changes


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(0, 3), st.integers(1, 8), st.booleans()
)
def test_update_with_adaptive_schedule_matches_nerblackbox(losses, patience, cooldown, restarts):
    hyperparameters = ADAPTIVE | {
        "patience": patience + 1, "cooldown_epochs": cooldown, "cooldown_restarts": restarts
    }  # fmt: skip
    measured = update_over(TrainingConfig(**hyperparameters), losses)
    before = [EarlyStopping(), *measured]
    changes = [
        (epoch, "constant" if now.cooling_since is None else "cool-down")
        for epoch, (was, now) in enumerate(zip(before, measured, strict=False), 1)
        if was.cooling_since != now.cooling_since
    ]
    assert (len(measured) if measured[-1].over else None, changes) == nerblackbox_reference(
        losses, patience, cooldown, restarts
    )


@given(
    st.lists(st.tuples(st.sampled_from([0, 0.5, 0.75, 1]), st.integers(0, 5)), max_size=30),
    st.sampled_from(
        [
            TrainingConfig(patience=2),
            TrainingConfig(**ADAPTIVE),
            TrainingConfig(patience=3, early_stopping_metric="loss"),
        ]
    ),
    st.integers(0, 30),
)
def test_update_after_json_round_trip_gives_equal_states(scores, training_config, cut):
    straight = resumed = EarlyStopping()
    for number, (f1, loss) in enumerate(scores):
        if number == cut:
            resumed = EarlyStopping(**json.loads(json.dumps(resumed.to_json())))
        straight, resumed = (
            each.update(training_config, f1, loss, number / 4) for each in (straight, resumed)
        )
    assert straight == resumed


@pytest.fixture
def set_dev_losses(monkeypatch):
    """Replace the dev evaluations by given losses; returns the function that sets them."""

    def set_losses(losses):
        remaining = iter(losses)
        monkeypatch.setattr(
            "hpo.training.dev_evaluator.DevEvaluator.evaluate",
            lambda self, model, autocast: {
                "f1": 0.5,
                "precision": 0.5,
                "recall": 0.5,
                "loss": next(remaining),
            },
        )

    return set_losses


def run(corpus, training_config, reports=1000, resume_dir=None):
    measured = []

    def report(measurement):
        measured.append((measurement.epoch, measurement.train_loss))
        return len(measured) < reports

    train(
        TrainingTask(
            training_config=training_config,
            corpus=corpus.folder,
            model="tiny",
            train_on="cased",
            seed=1,
            resume_dir=resume_dir,
        ),
        TrainingCallbacks(report),
    )
    return measured


ADAPTIVE_CONFIG = TrainingConfig(
    learning_rate=1e-3, epochs=20, batch_size=30, evals_per_epoch=1, warmup_steps=2, **ADAPTIVE
)
LOSSES = [3, 2, 2.5, 1, 1.5, 1.6, 1.7]
# 4 steps an epoch; constant, cooling from epoch 3, constant again from 4, cooling from 5, over at 7
EXPECTED_MULTIPLIERS = [
    0,
    0.5,
    *[1] * 10,
    1,
    7 / 8,
    6 / 8,
    5 / 8,
    *[1] * 4,
    *[1 - step / 8 for step in range(8)],
]


def test_adaptive_run_with_scripted_losses_follows_the_expected_rates(
    corpus, set_dev_losses, optimizer_rates
):
    set_dev_losses(LOSSES)
    measured = run(corpus, ADAPTIVE_CONFIG)
    assert [epoch for epoch, _ in measured] == [1, 2, 3, 4, 5, 6, 7]
    assert optimizer_rates == pytest.approx([1e-3 * factor for factor in EXPECTED_MULTIPLIERS])


@pytest.mark.parametrize("cut", range(1, 7))
def test_adaptive_run_when_resumed_continues_exactly(corpus, set_dev_losses, optimizer_rates, tmp_path, cut):
    set_dev_losses(LOSSES)
    uncut = run(corpus, ADAPTIVE_CONFIG)
    assert len(optimizer_rates) == 28
    set_dev_losses(LOSSES[:cut])
    assert run(corpus, ADAPTIVE_CONFIG, reports=cut, resume_dir=tmp_path / "state") == uncut[:cut]
    set_dev_losses(LOSSES[cut:])
    torch.manual_seed(999)
    assert run(corpus, ADAPTIVE_CONFIG, resume_dir=tmp_path / "state") == uncut[cut:]
    assert optimizer_rates[28:] == optimizer_rates[:28]


def test_run_ended_by_early_stopping_when_resumed_ends_at_once(corpus, set_dev_losses, tmp_path):
    training_config = TrainingConfig(
        epochs=9, batch_size=30, evals_per_epoch=2, patience=2, early_stopping_metric="loss"
    )
    set_dev_losses([3, 2, 2.5, 2.5])
    measured = run(corpus, training_config, resume_dir=tmp_path / "state")
    assert [epoch for epoch, _ in measured] == [0.5, 1, 1.5, 2]
    assert read_snapshot(tmp_path / "state").early_stopping == EarlyStopping(0.5, 2, 2, None, over=True)
    set_dev_losses([])
    assert run(corpus, training_config, resume_dir=tmp_path / "state") == []


def test_run_without_patience_reaches_the_last_epoch(corpus, set_dev_losses):
    set_dev_losses([1, 2, 3, 4])
    assert len(run(corpus, TrainingConfig(epochs=4, batch_size=60, evals_per_epoch=1))) == 4


def test_snapshot_without_early_stopping_is_read(corpus, set_dev_losses, tmp_path):
    set_dev_losses([3, 2])
    run_once = partial(
        run, corpus, TrainingConfig(epochs=2, batch_size=60, evals_per_epoch=1), resume_dir=tmp_path / "s"
    )
    run_once(reports=1)
    fields = json.loads((tmp_path / "s" / SNAPSHOT_FILE).read_text())
    del fields["patience"]
    (tmp_path / "s" / SNAPSHOT_FILE).write_text(json.dumps(fields))
    assert read_snapshot(tmp_path / "s").early_stopping == EarlyStopping()
    assert len(run_once()) == 1
