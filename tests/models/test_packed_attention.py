"""A model gives the same logits for packed and for padded batches, in every family that supports packing."""

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForTokenClassification,
    BertConfig,
    BertForTokenClassification,
    CamembertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
)

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler
from hpo.encoding.window_dataset import IGNORE_INDEX, WindowDataset, padded_inputs
from hpo.models.build import build_model
from hpo.models.packed_attention import enable_packing, packing_support
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

LABELS = label_names(("person", "place"))
WIDTHS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64
}  # fmt: skip


def first_form(corpus, pooled=False):
    split = corpus.split("train")
    return WindowDataset(split, split.forms[0], corpus.pad_id, "first", pooled)


def labelled(order, logits, labels):
    """Logits and labels of the labelled subtokens, sorted by ``order``."""
    kept = labels != IGNORE_INDEX
    sorted_places = np.lexsort([order[kept].numpy()])
    return logits[kept][sorted_places], labels[kept][sorted_places]


def packed_and_padded(model, dataset, batch_size):
    """Logits and labels of each packed batch, and those of the same windows in a padded batch."""
    batch_sampler, attention_inputs = packing_support(model)
    assert batch_sampler is PackedBatchSampler
    enable_packing(model)
    for plan in PackedBatchSampler(dataset.lengths, batch_size, seed=1):
        packed = dataset.packed_batch(plan)
        windows = torch.from_numpy(plan.windows)[packed["segment_ids"] - 1]
        packed_logits = model(**attention_inputs(packed)).logits.flatten(0, 1)
        padded = dataset.padded_batch(plan.windows, pooled="token_starts" in packed)
        padded_logits = model(**padded).logits.flatten(0, 1)
        padded_windows = torch.from_numpy(plan.windows)[:, None].expand_as(padded["labels"])
        columns = torch.arange(padded_windows.shape[1]).expand_as(padded_windows)
        packed_order = (windows * 10_000 + packed["positions"]).flatten()
        padded_order = (padded_windows * 10_000 + columns).flatten()
        yield (
            labelled(packed_order, packed_logits, packed["labels"].flatten()),
            labelled(padded_order, padded_logits, padded["labels"].flatten()),
        )


@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"pooling": "mean"}, {"pooling": "first-last"}, {"lora_r": 4, "lora_targets": "query"}],
)
def test_packed_batch_of_every_family_has_logits_of_padded_batch(family, folder, encoded, hyperparameters):
    model = build_model(folder, LABELS, encoded.vocabulary, TrainingConfig(**hyperparameters), seed=1).eval()
    dataset = first_form(encoded, "pooling" in hyperparameters)
    batches = 0
    with torch.inference_mode():
        for (logits, labels), (expected_logits, expected) in packed_and_padded(model, dataset, 9):
            assert torch.equal(labels, expected)
            difference = (logits - expected_logits).abs().max()
            assert torch.allclose(logits, expected_logits, atol=2e-5), float(difference)
            batches += 1
    assert batches > 3
    plans = PackedBatchSampler(dataset.lengths, 9, seed=1)
    assert any(len(set(plan.rows)) < len(plan.windows) for plan in plans)


@pytest.mark.parametrize(
    "config",
    [
        AlbertConfig(**WIDTHS, embedding_size=16),
        CamembertConfig(**WIDTHS, pad_token_id=1),
        DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64),
    ],
    ids=lambda config: config.model_type,
)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_batch_of_other_supported_families_has_logits_of_padded_batch(corpus, config, attention):
    config.vocab_size, config.num_labels = corpus.vocabulary, len(corpus.label_names)
    config._attn_implementation = attention
    model = AutoModelForTokenClassification.from_config(config).eval()
    with torch.inference_mode():
        for (logits, labels), (expected_logits, expected) in packed_and_padded(model, first_form(corpus), 9):
            assert torch.equal(labels, expected)
            assert torch.allclose(logits, expected_logits, atol=2e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_packed_batch_in_half_precision_has_mask_of_the_models_dtype(corpus, attention, dtype):
    config = BertConfig(**WIDTHS, vocab_size=corpus.vocabulary, num_labels=len(corpus.label_names))
    config._attn_implementation = attention
    model = BertForTokenClassification(config).eval().to(dtype)
    with torch.inference_mode():
        for (logits, _), (expected_logits, _) in packed_and_padded(model, first_form(corpus), 9):
            assert torch.allclose(logits, expected_logits, atol=0.03)


def test_packed_row_longer_than_the_maximum_length_is_read(corpus):
    dataset = first_form(corpus)
    longest = int(dataset.lengths.max())
    config = BertConfig(
        **WIDTHS, vocab_size=corpus.vocabulary, max_position_embeddings=longest,
        num_labels=len(corpus.label_names),
    )  # fmt: skip
    model = BertForTokenClassification(config).eval()
    widths = [plan.width for plan in PackedBatchSampler(dataset.lengths, 4, seed=1)]
    assert max(widths) > longest
    with torch.inference_mode():
        for (logits, _), (expected_logits, _) in packed_and_padded(model, dataset, 4):
            assert torch.allclose(logits, expected_logits, atol=2e-5)


def deberta(**changes):
    config = DebertaV2Config(
        **WIDTHS, vocab_size=90, relative_attention=True, position_biased_input=False, **changes
    )
    return AutoModelForTokenClassification.from_config(config)


def hooks(model):
    return sum(len(module._forward_pre_hooks) for module in model.modules())


def test_packing_support_leaves_the_model_unchanged_until_packing_is_enabled():
    model = deberta()
    assert packing_support(model)[0] is PackedBatchSampler
    assert hooks(model) == 0
    enable_packing(model)
    assert hooks(model) == 2


def test_packing_is_not_supported_by_a_deberta_with_a_convolution():
    model = deberta(conv_kernel_size=3)
    assert packing_support(model) == (LengthGroupedBatchSampler, padded_inputs)
    enable_packing(model)
    assert hooks(model) == 0


def test_training_an_unsupported_family_uses_padded_batches(corpus, monkeypatch, tmp_path):
    """ModernBERT's layers build their own mask, of a window of neighbours."""
    config = ModernBertConfig(
        **WIDTHS, vocab_size=corpus.vocabulary, num_labels=len(corpus.label_names), pad_token_id=0
    )
    model = AutoModelForTokenClassification.from_config(config)
    assert packing_support(model) == (LengthGroupedBatchSampler, padded_inputs)
    model.save_pretrained(tmp_path)
    seen, original = [], NerTrainer.compute_loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        seen.append(dict(inputs))
        return original(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "compute_loss", compute_loss)
    training_config = TrainingConfig(epochs=1, evals_per_epoch=1, batch_size=16)
    task = TrainingTask(
        training_config=training_config, corpus=corpus.folder, model=str(tmp_path), train_on="cased", seed=1
    )
    train(task, TrainingCallbacks(lambda measurement: True))
    dataset = first_form(corpus)
    assert sum(len(each["input_ids"]) for each in seen) == len(dataset)
    assert sum(int(each["attention_mask"].sum()) for each in seen) == dataset.lengths.sum()
    assert sorted(seen[0]) == ["attention_mask", "input_ids", "labels"]
