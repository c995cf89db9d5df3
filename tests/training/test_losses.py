"""The training loss: equal, smoothed or weighted labels; batches in parts."""

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


def test_corpus_loss_weights_labels_of_all_batches_equally():
    loss = CorpusLoss(TrainingConfig(), COUNTS, batches=10)
    summed = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), reduction="sum")
    assert loss({"logits": logits()}, LABELS, 6).item() == pytest.approx(summed.item() / 10), (
        "100 in 10 batches"
    )
    assert loss.pop_batch_count().item() == pytest.approx(6 / 10), "of the average"
    one = functional.cross_entropy(logits()[:1].flatten(0, 1), LABELS[:1].flatten(), reduction="sum")
    assert loss({"logits": logits()[:1]}, LABELS[:1], 3).item() == pytest.approx(one.item() / 10)


def test_corpus_loss_with_label_smoothing_matches_torch():
    loss = CorpusLoss(TrainingConfig(label_smoothing=0.2), np.array([2, 1, 1, 1, 1]), batches=1)
    expected = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), label_smoothing=0.2)
    assert loss({"logits": logits()}, LABELS, torch.tensor(6)).item() == pytest.approx(expected.item())
    assert expected.item() != pytest.approx(
        functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten()).item()
    )


def test_corpus_loss_with_inverse_weighting_applies_class_weights():
    loss = CorpusLoss(TrainingConfig(class_weighting="inverse"), COUNTS, batches=10)
    weights = torch.tensor(class_weights(TrainingConfig(class_weighting="inverse"), COUNTS)).float()
    each = functional.cross_entropy(logits().flatten(0, 1), LABELS.flatten(), reduction="none")
    real = LABELS.flatten() != IGNORE_INDEX
    expected = (each[real] * weights[LABELS.flatten()[real]]).sum() / 10
    assert loss({"logits": logits()}, LABELS, 6).item() == pytest.approx(expected.item())


def test_class_weights_match_the_formulas_of_the_paper():
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
def test_class_weights_have_mean_1_and_decrease_with_frequency(counts, kind, beta):
    weights = class_weights(TrainingConfig(class_weighting=kind, effective_beta=beta), np.array(counts))
    assert (weights * counts).sum() / sum(counts) == pytest.approx(1)
    assert (weights > 0).all()
    by_count = weights[np.argsort(counts, kind="stable")]
    assert (np.diff(by_count) <= 1e-9 * by_count[:-1]).all()


def test_class_weights_at_the_limits_of_beta_are_equal_or_inverse():
    none = class_weights(TrainingConfig(class_weighting="effective", effective_beta=0), COUNTS)
    assert none == pytest.approx(np.ones(5))
    near = class_weights(TrainingConfig(class_weighting="effective", effective_beta=1 - 1e-9), COUNTS)
    assert near == pytest.approx(class_weights(TrainingConfig(class_weighting="inverse"), COUNTS), rel=1e-4)


@pytest.mark.parametrize("alignment", ["first", "all"])
def test_label_counts_equal_the_labels_of_all_batches(corpus, alignment):
    rows = train_dataset(corpus, "uncased-cased-both", alignment, False)
    batch = rows.__getitems__(range(len(rows)))["labels"]
    expected = torch.bincount(batch[batch != IGNORE_INDEX], minlength=5)
    assert rows.label_counts(5).tolist() == expected.tolist()
    assert expected.min() > 0 or alignment == "first"


@given(st.integers(1, 20), st.integers(1, 25))
def test_micro_batches_contain_every_row_once(rows, parts):
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

    def recording_step(self, *args, **kwargs):
        if not steps:
            weights = [weight for group in self.param_groups for weight in group["params"]]
            steps.append((list(forwards), [weight.grad.clone() for weight in weights]))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "compute_loss", forward)
    monkeypatch.setattr(torch.optim.AdamW, "step", recording_step)
    measurements = []
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: bool(measurements.append(each))),
    )
    return (*steps[0], measurements[0])


@pytest.mark.parametrize(
    "hyperparameters", [{}, {"label_smoothing": 0.1}, {"class_weighting": "inverse"}], ids=str
)
def test_accumulation_gives_the_gradient_of_the_whole_batch(corpus, monkeypatch, hyperparameters):
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


def test_accumulation_keeps_the_number_of_steps_per_epoch(corpus):
    measurements = []
    training_config = TrainingConfig(batch_size=16, accumulation_steps=3, epochs=2, evals_per_epoch=2)
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: not measurements.append(each)),
    )
    assert [(each.epoch, each.step) for each in measurements] == [(0.5, 4), (1, 8), (1.5, 12), (2, 16)]


@pytest.mark.parametrize(
    "hyperparameters",
    [{"label_smoothing": 0.3}, {"class_weighting": "inverse"}, {"class_weighting": "effective"}],
    ids=str,
)
def test_loss_hyperparameters_change_the_training_loss_only(corpus, monkeypatch, hyperparameters):
    same = {"batch_size": 24, "epochs": 1, "evals_per_epoch": 5, "learning_rate": 1e-30}
    plain = first_step(corpus, monkeypatch, TrainingConfig(**same))[2]
    monkeypatch.undo()
    other = first_step(corpus, monkeypatch, TrainingConfig(**same, **hyperparameters))[2]
    assert other.loss == plain.loss
    assert other.train_loss != pytest.approx(plain.train_loss, rel=1e-3)
