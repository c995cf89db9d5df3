"""Batches hold each row once, change with the epoch, and waste little on padding."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

from hpo.training.batching import IGNORED, LengthGroupedBatches, Rows, subtoken_labels


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_an_epoch_takes_every_row_once(batch_size):
    lengths = np.random.default_rng(0).integers(3, 90, 501)
    batches = LengthGroupedBatches(lengths, batch_size, seed=3)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    assert sorted(row for batch in drawn for row in batch) == list(range(501))
    assert max(map(len, drawn)) <= batch_size


def test_epochs_differ_and_repeat_by_their_number():
    lengths = np.random.default_rng(0).integers(3, 90, 200)
    batches = LengthGroupedBatches(lengths, 8, seed=3)
    first = list(batches)
    batches.set_epoch(1)
    second = list(batches)
    batches.set_epoch(0)
    assert first == list(batches) != second
    assert first != list(LengthGroupedBatches(lengths, 8, seed=4))


def test_most_of_a_batch_is_real():
    lengths = np.random.default_rng(0).gamma(2.5, 9, 4000).astype(int) + 3
    padded = sum(len(batch) * lengths[batch].max() for batch in LengthGroupedBatches(lengths, 32, seed=3))
    assert lengths.sum() / padded > 0.94


def test_a_batch_is_padded_to_its_longest_row(corpus):
    split = corpus.split("train")
    rows = Rows(split, split.forms[0], corpus.pad_id, "first")
    batch = rows.__getitems__([0, 1, 2])
    assert batch["input_ids"].shape == (3, rows.lengths[:3].max())
    for place in range(3):
        length = rows.lengths[place]
        stored = split.ids[rows.starts[place] : rows.starts[place] + length]
        assert batch["input_ids"][place, :length].tolist() == stored.tolist()
        assert (batch["input_ids"][place, length:] == corpus.pad_id).all()
        assert batch["attention_mask"][place].sum() == length
        assert (batch["labels"][place, length:] == IGNORED).all()


def test_the_loader_of_torch_asks_for_whole_batches(corpus):
    split = corpus.split("train")
    rows = Rows(split, split.forms[0], corpus.pad_id, "first")
    loader = DataLoader(
        rows, batch_sampler=LengthGroupedBatches(rows.lengths, 16, 1), collate_fn=lambda batch: batch
    )
    assert sum(len(batch["input_ids"]) for batch in loader) == len(rows)


def test_first_alignment_labels_one_subtoken_of_each_token(corpus):
    split = corpus.split("train")
    labels = subtoken_labels(split, "first")
    first = split.first_subtokens()
    assert (labels[~first] == IGNORED).all()
    assert np.array_equal(labels[first], split.labels[split.tokens[first]])


def test_all_alignment_goes_on_with_i_after_b(corpus):
    split = corpus.split("train")
    labels = subtoken_labels(split, "all")
    first, real = split.first_subtokens(), split.tokens >= 0
    rest = real & ~first
    assert (labels[~real] == IGNORED).all()
    assert np.array_equal(labels[first], split.labels[split.tokens[first]])
    token = split.labels[split.tokens[rest]]
    assert np.array_equal(labels[rest], np.where(token % 2 == 1, token + 1, token))
    assert (token % 2 == 1).any(), "the corpus must have a B- over several subtokens for this to say anything"


def test_a_both_variant_trains_on_every_sentence_twice(corpus):
    split = corpus.split("train")
    twice = np.concatenate([split.forms[0], split.forms[1]])
    assert len(Rows(split, twice, corpus.pad_id, "first")) == 2 * len(
        split.labels[split.sentence_offsets[:-1]]
    )
