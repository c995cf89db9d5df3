"""A packed batch means to each family what its sentences mean alone."""

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
from hpo.encoding.window_dataset import IGNORE_INDEX, WindowDataset, alone
from hpo.models.build import build_model
from hpo.models.packed_attention import reading
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

LABELS = label_names(("person", "place"))
WIDTHS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64
}  # fmt: skip


def labelled(place, logits, labels):
    """What is said and what is to be said of the labelled subtokens, in an order of the sentences' own."""
    kept = labels != IGNORE_INDEX
    order = np.lexsort([place[kept].numpy()])
    return logits[kept][order], labels[kept][order]


def read(model, rows, size, tell):
    """Logits by row and token of packed batches of so many rows, and of the same rows with a line each."""
    for placement in PackedBatchSampler(rows.lengths, size, seed=1):
        packed = rows.place(placement)
        numbers = torch.from_numpy(placement.rows)[packed["sentences"] - 1]
        said = model(**tell(packed)).logits.flatten(0, 1)
        plain = rows.batch(placement.rows, pooled="words" in packed)
        alone = model(**plain).logits.flatten(0, 1)
        own = torch.from_numpy(placement.rows)[:, None].expand_as(plain["labels"])
        columns = torch.arange(own.shape[1]).expand_as(own)
        yield (
            labelled((numbers * 10_000 + packed["columns"]).flatten(), said, packed["labels"].flatten()),
            labelled((own * 10_000 + columns).flatten(), alone, plain["labels"].flatten()),
        )


@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"pooling": "mean"}, {"pooling": "first-last"}, {"lora_r": 4, "lora_targets": "query"}],
)
def test_sentences_that_share_a_line_are_read_as_if_alone(family, folder, encoded, hyperparameters):
    model = build_model(folder, LABELS, encoded.vocabulary, TrainingConfig(**hyperparameters), seed=1).eval()
    split = encoded.split("train")
    rows = WindowDataset(split, split.forms[0], encoded.pad_id, "first", "pooling" in hyperparameters)
    drawn, tell = reading(model)
    assert drawn is PackedBatchSampler
    shared = 0
    with torch.inference_mode():
        for (said, labels), (alone, expected) in read(model, rows, 9, tell):
            assert torch.equal(labels, expected)
            assert torch.allclose(said, alone, atol=2e-5), float((said - alone).abs().max())
            shared += 1
    assert shared > 3
    assert any(len(set(each.lines)) < len(each.rows) for each in PackedBatchSampler(rows.lengths, 9, seed=1))


@pytest.mark.parametrize(
    "config",
    [
        AlbertConfig(**WIDTHS, embedding_size=16),
        CamembertConfig(**WIDTHS, pad_token_id=1),
        DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64),
    ],
    ids=lambda config: config.model_type,
)
@pytest.mark.parametrize("kind", ["sdpa", "eager"])
def test_so_do_the_other_families_that_are_named(corpus, config, kind):
    config.vocab_size, config.num_labels = corpus.vocabulary, len(corpus.label_names)
    config._attn_implementation = kind
    model = AutoModelForTokenClassification.from_config(config).eval()
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    with torch.inference_mode():
        for (said, labels), (alone, expected) in read(model, rows, 9, reading(model)[1]):
            assert torch.equal(labels, expected)
            assert torch.allclose(said, alone, atol=2e-5)


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("weights", [torch.bfloat16, torch.float16])
def test_a_model_of_half_the_precision_is_told_in_its_own_type(corpus, kind, weights):
    config = BertConfig(**WIDTHS, vocab_size=corpus.vocabulary, num_labels=len(corpus.label_names))
    config._attn_implementation = kind
    model = BertForTokenClassification(config).eval().to(weights)
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    with torch.inference_mode():
        for (said, _), (alone, _) in read(model, rows, 9, reading(model)[1]):
            assert torch.allclose(said, alone, atol=0.03)


def test_a_line_may_be_longer_than_the_longest_sentence_that_a_model_reads(corpus):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    longest = int(rows.lengths.max())
    config = BertConfig(
        **WIDTHS, vocab_size=corpus.vocabulary, max_position_embeddings=longest, 
        num_labels=len(corpus.label_names),
    )  # fmt: skip
    model = BertForTokenClassification(config).eval()
    widths = [each.width for each in PackedBatchSampler(rows.lengths, 4, seed=1)]
    assert max(widths) > longest
    with torch.inference_mode():
        for (said, _), (alone, _) in read(model, rows, 4, reading(model)[1]):
            assert torch.allclose(said, alone, atol=2e-5)


def test_a_family_of_which_no_way_is_known_keeps_a_line_for_each_sentence(corpus, monkeypatch, tmp_path):
    """ModernBERT's layers attend to a window of neighbours, by a mask of their own."""
    config = ModernBertConfig(
        **WIDTHS, vocab_size=corpus.vocabulary, num_labels=len(corpus.label_names), pad_token_id=0
    )
    model = AutoModelForTokenClassification.from_config(config)
    assert reading(model) == (LengthGroupedBatchSampler, alone)
    deberta = {"vocab_size": 90, "relative_attention": True, "position_biased_input": False}
    for more, drawn in (({}, PackedBatchSampler), ({"conv_kernel_size": 3}, LengthGroupedBatchSampler)):
        convolving = DebertaV2Config(**WIDTHS, **deberta, **more)
        assert reading(AutoModelForTokenClassification.from_config(convolving))[0] is drawn
    model.save_pretrained(tmp_path)
    seen, loss = [], NerTrainer.compute_loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        seen.append(dict(inputs))
        return loss(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "compute_loss", compute_loss)
    training_config = TrainingConfig(epochs=1, evals_per_epoch=1, batch_size=16)
    train(
        TrainingTask(
            training_config=training_config,
            corpus=corpus.folder,
            model=str(tmp_path),
            train_on="cased",
            seed=1,
        ),
        TrainingCallbacks(lambda each: True),
    )
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    assert sum(len(each["input_ids"]) for each in seen) == len(rows)
    assert sum(int(each["attention_mask"].sum()) for each in seen) == rows.lengths.sum()
    assert sorted(seen[0]) == ["attention_mask", "input_ids", "labels"]
