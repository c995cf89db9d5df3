"""A run ends when dev no longer improves, or cools down first; taken up again it does the same."""

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


def follow(training_config, losses, f1=0.5):
    """The patience after each of some dev losses, one an epoch, up to the end of the run."""
    patience, told = EarlyStopping(), []
    for epoch, loss in enumerate(losses, 1):
        patience = patience.update(training_config, f1, loss, float(epoch))
        told.append(patience)
        if patience.over:
            break
    return told


@pytest.mark.parametrize(
    ("patience", "losses", "ends"),
    [
        (0, [3, 4, 5, 6, 7], None),
        (1, [3, 2, 2.5, 1], 3),
        (2, [3, 2, 2.5, 1, 1.5, 1.2, 0], 6),
        (2, [3, 3, 3, 3], 3),
    ],
)
def test_a_run_ends_after_so_many_evaluations_without_a_lower_loss(patience, losses, ends):
    told = follow(TrainingConfig(patience=patience, early_stopping_metric="loss"), losses)
    assert (len(told) if told[-1].over else None) == ends


def test_an_improvement_must_be_larger_than_min_delta():
    training_config = TrainingConfig(patience=2, early_stopping_metric="loss", min_delta=0.5)
    assert len(follow(training_config, [3, 2.5, 2.5, 0])) == 3
    assert len(follow(training_config, [3, 2.75, 2.25, 1.75])) == 4
    by_f1 = TrainingConfig(patience=1, min_delta=0.125)
    assert EarlyStopping(0.5, 1.0).update(by_f1, 0.625, 1.0, 1.0).over
    assert not EarlyStopping(0.5, 1.0).update(by_f1, 0.75, 1.0, 1.0).over


def test_an_f1_that_is_still_0_does_not_end_a_run_that_learns():
    training_config = TrainingConfig(patience=1)
    assert not follow(training_config, [3, 2, 1], f1=0.0)[-1].over
    assert follow(training_config, [3, 2, 2], f1=0.0)[-1].over
    assert EarlyStopping(0.5, 3.0).update(training_config, 0.4, 1.0, 1.0).over, (
        "the loss counts only where F1 ties"
    )


def as_nerblackbox_does(losses, patience, cooldown, restarts):
    """Epochs until the end, and those at which the rate changes; told from how its callback counts."""
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
def test_an_adaptive_run_ends_and_changes_as_nerblackboxs(losses, patience, cooldown, restarts):
    hyperparameters = ADAPTIVE | {
        "patience": patience + 1, "cooldown_epochs": cooldown, "cooldown_restarts": restarts
    }  # fmt: skip
    told = follow(TrainingConfig(**hyperparameters), losses)
    before = [EarlyStopping(), *told]
    changes = [
        (epoch, "constant" if now.cooling_since is None else "cool-down")
        for epoch, (was, now) in enumerate(zip(before, told, strict=False), 1)
        if was.cooling_since != now.cooling_since
    ]
    assert (len(told) if told[-1].over else None, changes) == as_nerblackbox_does(
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
def test_patience_goes_on_from_what_was_written(scores, training_config, cut):
    straight = resumed = EarlyStopping()
    for number, (f1, loss) in enumerate(scores):
        if number == cut:
            resumed = EarlyStopping(**json.loads(json.dumps(resumed.to_json())))
        straight, resumed = (
            each.update(training_config, f1, loss, number / 4) for each in (straight, resumed)
        )
    assert straight == resumed


@pytest.fixture
def scripted(monkeypatch):
    """Have dev say what a script says, evaluation by evaluation, and tell every rate that is stepped with."""
    rates = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    def play(losses):
        said = iter(losses)
        monkeypatch.setattr(
            "hpo.training.dev_evaluator.DevEvaluator.evaluate",
            lambda self, model, autocast: {"f1": 0.5, "precision": 0.5, "recall": 0.5, "loss": next(said)},
        )

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    return play, rates


def run(corpus, training_config, reports=1000, state=None):
    told = []

    def report(measurement):
        told.append((measurement.epoch, measurement.train_loss))
        return len(told) < reports

    train(
        TrainingTask(
            training_config=training_config,
            corpus=corpus.folder,
            model="tiny",
            train_on="cased",
            seed=1,
            resume_dir=state,
        ),
        TrainingCallbacks(report),
    )
    return told


STEADY = TrainingConfig(
    learning_rate=1e-3, epochs=20, batch_size=30, evals_per_epoch=1, warmup_steps=2, **ADAPTIVE
)
LOSSES = [3, 2, 2.5, 1, 1.5, 1.6, 1.7]
# 4 steps an epoch; constant, cooling from epoch 3, constant again from 4, cooling from 5, over at 7
FACTORS = [0, 0.5, *[1] * 10, 1, 7 / 8, 6 / 8, 5 / 8, *[1] * 4, *[1 - step / 8 for step in range(8)]]


def test_an_adaptive_run_cools_down_goes_back_and_ends(corpus, scripted):
    play, rates = scripted
    play(LOSSES)
    told = run(corpus, STEADY)
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4, 5, 6, 7]
    assert rates == pytest.approx([1e-3 * factor for factor in FACTORS])


@pytest.mark.parametrize("cut", range(1, 7))
def test_an_adaptive_run_that_was_cut_goes_on_exactly(corpus, scripted, tmp_path, cut):
    play, rates = scripted
    play(LOSSES)
    uncut = run(corpus, STEADY)
    assert len(rates) == 28
    play(LOSSES[:cut])
    assert run(corpus, STEADY, reports=cut, state=tmp_path / "state") == uncut[:cut]
    play(LOSSES[cut:])
    torch.manual_seed(999)
    assert run(corpus, STEADY, state=tmp_path / "state") == uncut[cut:]
    assert rates[28:] == rates[:28]


def test_a_run_that_patience_has_ended_stays_ended(corpus, scripted, tmp_path):
    play, _ = scripted
    training_config = TrainingConfig(
        epochs=9, batch_size=30, evals_per_epoch=2, patience=2, early_stopping_metric="loss"
    )
    play([3, 2, 2.5, 2.5])
    told = run(corpus, training_config, state=tmp_path / "state")
    assert [epoch for epoch, _ in told] == [0.5, 1, 1.5, 2]
    assert read_snapshot(tmp_path / "state").early_stopping == EarlyStopping(0.5, 2, 2, None, over=True)
    play([])
    assert run(corpus, training_config, state=tmp_path / "state") == []


def test_without_patience_a_run_goes_to_its_last_epoch(corpus, scripted):
    play, _ = scripted
    play([1, 2, 3, 4])
    assert len(run(corpus, TrainingConfig(epochs=4, batch_size=60, evals_per_epoch=1))) == 4


def test_a_snapshot_of_before_there_was_patience_is_read(corpus, scripted, tmp_path):
    play, _ = scripted
    play([3, 2])
    run_once = partial(
        run, corpus, TrainingConfig(epochs=2, batch_size=60, evals_per_epoch=1), state=tmp_path / "s"
    )
    run_once(reports=1)
    facts = json.loads((tmp_path / "s" / SNAPSHOT_FILE).read_text())
    del facts["patience"]
    (tmp_path / "s" / SNAPSHOT_FILE).write_text(json.dumps(facts))
    assert read_snapshot(tmp_path / "s").early_stopping == EarlyStopping()
    assert len(run_once()) == 1
