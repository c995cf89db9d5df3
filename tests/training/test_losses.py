"""The loss that is trained on: of labels that count alike, or smoothed, weighted, in parts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from hpo.config.training_config import TrainingConfig
from hpo.encoding.window_dataset import IGNORE_INDEX, micro_batches
from hpo.training.losses import CorpusLoss, class_weights
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train, train_dataset

torch.set_num_threads(1)
LABELS = torch.tensor([[0, 1, IGNORE_INDEX, 2], [0, 0, 4, IGNORE_INDEX]])
COUNTS = np.array([80, 10, 6, 0, 4])


def logits():
    return torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))


def test_every_label_counts_alike_whatever_batch_it_is_in():
    loss = CorpusLoss(TrainingConfig(), COUNTS, batches=10)
    summed = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), reduction="sum")
    assert loss({"logits": logits()}, LABELS, 6).item() == pytest.approx(summed.item() / 10), (
        "100 in 10 batches"
    )
    assert loss.pop_batch_count().item() == pytest.approx(6 / 10), "of the average"
    one = functional.cross_entropy(logits()[:1].flatten(0, 1), LABELS[:1].flatten(), reduction="sum")
    assert loss({"logits": logits()[:1]}, LABELS[:1], 3).item() == pytest.approx(one.item() / 10)


def test_labels_are_smoothed_as_torch_smooths_them():
    loss = CorpusLoss(TrainingConfig(label_smoothing=0.2), np.array([2, 1, 1, 1, 1]), batches=1)
    expected = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), label_smoothing=0.2)
    assert loss({"logits": logits()}, LABELS, torch.tensor(6)).item() == pytest.approx(expected.item())
    assert expected.item() != pytest.approx(
        functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten()).item()
    )


def test_rare_labels_weigh_more():
    loss = CorpusLoss(TrainingConfig(class_weighting="inverse"), COUNTS, batches=10)
    weights = torch.tensor(class_weights(TrainingConfig(class_weighting="inverse"), COUNTS)).float()
    each = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), reduction="none")
    real = LABELS.flatten() != IGNORE_INDEX
    expected = (each[real] * weights[LABELS.flatten()[real]]).sum() / 10
    assert loss({"logits": logits()}, LABELS, 6).item() == pytest.approx(expected.item())


def test_weights_follow_the_papers_formulas():
    inverse = class_weights(TrainingConfig(class_weighting="inverse"), COUNTS)
    assert inverse[[0, 1, 2, 4]] * COUNTS[[0, 1, 2, 4]] == pytest.approx([25] * 4)
    assert inverse[3] == pytest.approx(25), "one that never occurs weighs as if it did once"
    effective = class_weights(TrainingConfig(class_weighting="effective", effective_beta=0.9), COUNTS)
    numbers = [(1 - 0.9**count) / (1 - 0.9) for count in (80, 10, 6, 1, 4)]
    assert effective / effective[0] == pytest.approx([numbers[0] / number for number in numbers])


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any),
    st.sampled_from(["inverse", "effective"]),
    st.sampled_from([0, 0.9, 0.999, 0.999999]),
)
def test_weights_are_1_on_average_and_no_label_outweighs_a_rarer_one(counts, kind, beta):
    weights = class_weights(TrainingConfig(class_weighting=kind, effective_beta=beta), np.array(counts))
    assert (weights * counts).sum() / sum(counts) == pytest.approx(1)
    assert (weights > 0).all()
    by_count = weights[np.argsort(counts, kind="stable")]
    assert (np.diff(by_count) <= 1e-9 * by_count[:-1]).all()


def test_the_two_ends_of_beta_are_no_weights_and_inverse_ones():
    none = class_weights(TrainingConfig(class_weighting="effective", effective_beta=0), COUNTS)
    assert none == pytest.approx(np.ones(5))
    near = class_weights(TrainingConfig(class_weighting="effective", effective_beta=1 - 1e-9), COUNTS)
    assert near == pytest.approx(class_weights(TrainingConfig(class_weighting="inverse"), COUNTS), rel=1e-4)


@pytest.mark.parametrize("alignment", ["first", "all"])
def test_labels_are_counted_as_they_are_trained_on(corpus, alignment):
    rows = train_dataset(corpus, "uncased-cased-both", alignment, False)
    batch = rows.__getitems__(range(len(rows)))["labels"]
    expected = torch.bincount(batch[batch != IGNORE_INDEX], minlength=5)
    assert rows.label_counts(5).tolist() == expected.tolist()
    assert expected.min() > 0 or alignment == "first"


@given(st.integers(1, 20), st.integers(1, 25))
def test_a_batch_in_parts_holds_every_row_once(rows, parts):
    batch = {"input_ids": torch.arange(3 * rows).reshape(rows, 3), "labels": torch.arange(rows)}
    split = list(micro_batches(batch, parts))
    assert len(split) <= parts
    assert all(len(part["labels"]) for part in split)
    assert {name: torch.equal(torch.cat([part[name] for part in split]), batch[name]) for name in batch} == {
        "input_ids": True, "labels": True
    }  # fmt: skip


def first_step(corpus, monkeypatch, training_config):
    """Rows per forward, labels per forward, gradient and loss of the first optimizer step of a run."""
    forwards, steps = [], []
    compute_loss = NerTrainer.compute_loss
    step = torch.optim.AdamW.step

    def forward(self, model, inputs, *args, **kwargs):
        forwards.append(len(inputs["input_ids"]))
        return compute_loss(self, model, inputs, *args, **kwargs)

    def watched(self, *args, **kwargs):
        if not steps:
            weights = [weight for group in self.param_groups for weight in group["params"]]
            steps.append((list(forwards), [weight.grad.clone() for weight in weights]))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "compute_loss", forward)
    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    told = []
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: bool(told.append(each))),
    )
    return (*steps[0], told[0])


@pytest.mark.parametrize(
    "hyperparameters", [{}, {"label_smoothing": 0.1}, {"class_weighting": "inverse"}], ids=str
)
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(corpus, monkeypatch, hyperparameters):
    same = {
        "batch_size": 24, "attention_dropout": 0.0, "hidden_dropout": 0.0, "epochs": 1, "evals_per_epoch": 5,
        "max_grad_norm": 0.0,
    }  # fmt: skip
    whole = first_step(corpus, monkeypatch, TrainingConfig(**same, **hyperparameters))
    monkeypatch.undo()
    parts = first_step(corpus, monkeypatch, TrainingConfig(**same, **hyperparameters, accumulation_steps=5))
    (lines,) = whole[0]
    assert 5 < lines < 24, "sentences share them"
    assert len(parts[0]) == 5 and sum(parts[0]) == lines
    assert max(parts[0]) == -(-lines // 5)
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(whole[1], parts[1], strict=True))
    assert any(gradient.abs().max() > 1e-3 for gradient in whole[1])
    assert parts[2].train_loss == pytest.approx(whole[2].train_loss, abs=1e-5)
    assert (parts[2].epoch, parts[2].step) == (whole[2].epoch, whole[2].step)


def test_accumulation_leaves_the_steps_of_an_epoch_as_they_are(corpus):
    told = []
    training_config = TrainingConfig(batch_size=16, accumulation_steps=3, epochs=2, evals_per_epoch=2)
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: not told.append(each)),
    )
    assert [(each.epoch, each.step) for each in told] == [(0.5, 4), (1, 8), (1.5, 12), (2, 16)]


@pytest.mark.parametrize(
    "hyperparameters",
    [{"label_smoothing": 0.3}, {"class_weighting": "inverse"}, {"class_weighting": "effective"}],
    ids=str,
)
def test_a_loss_knob_changes_what_is_trained_and_not_how_dev_is_measured(
    corpus, monkeypatch, hyperparameters
):
    same = {"batch_size": 24, "epochs": 1, "evals_per_epoch": 5, "learning_rate": 1e-30}
    plain = first_step(corpus, monkeypatch, TrainingConfig(**same))[2]
    monkeypatch.undo()
    other = first_step(corpus, monkeypatch, TrainingConfig(**same, **hyperparameters))[2]
    assert other.loss == plain.loss
    assert other.train_loss != pytest.approx(plain.train_loss, rel=1e-3)
