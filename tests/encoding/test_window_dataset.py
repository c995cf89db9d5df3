"""Window datasets build padded and packed batches with the labels of an alignment."""

import numpy as np
import torch

from hpo.encoding.batch_samplers import PackedBatchSampler
from hpo.encoding.packing import PackingPlan
from hpo.encoding.window_dataset import IGNORE_INDEX, WindowDataset, label_subtokens, padded_inputs


def test_padded_batch_is_as_wide_as_its_longest_window(corpus):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    batch = rows.__getitems__([0, 1, 2])
    assert batch["input_ids"].shape == (3, rows.lengths[:3].max())
    for place in range(3):
        length = rows.lengths[place]
        stored = split.ids[rows.starts[place] : rows.starts[place] + length]
        assert batch["input_ids"][place, :length].tolist() == stored.tolist()
        assert (batch["input_ids"][place, length:] == corpus.pad_id).all()
        assert batch["attention_mask"][place].sum() == length
        assert (batch["labels"][place, length:] == IGNORE_INDEX).all()


def test_packed_batch_follows_the_packing_plan(corpus):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first", pooled=True)
    plan = next(iter(PackedBatchSampler(rows.lengths, 32, seed=1)))
    batch = rows.packed_batch(plan)
    assert {tuple(each.shape) for each in batch.values()} == {(plan.height, plan.width)}
    assert plan.height < 32
    empty = np.ones((plan.height, plan.width), bool)
    for number, (row, line, column) in enumerate(zip(plan.windows, plan.rows, plan.columns, strict=True), 1):
        length = rows.lengths[row]
        place = (int(line), slice(int(column), int(column + length)))
        single = rows.padded_batch([row], pooled=True)
        assert torch.equal(batch["input_ids"][place], single["input_ids"][0])
        assert torch.equal(batch["labels"][place], single["labels"][0])
        assert (batch["segment_ids"][place] == number).all()
        assert batch["positions"][place].tolist() == list(range(length))
        words = single["token_starts"][0]
        assert torch.equal(batch["token_starts"][place], torch.where(words < 0, words, words + column))
        assert empty[place].all(), "windows do not overlap"
        empty[place] = False
    paddings = {
        "input_ids": corpus.pad_id,
        "labels": IGNORE_INDEX,
        "segment_ids": 0,
        "positions": 0,
        "token_starts": -1,
    }
    for name, padding in paddings.items():
        assert (batch[name].numpy()[empty] == padding).all(), name


def test_packed_batch_with_one_window_per_row_equals_padded_batch(corpus):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    chosen = np.array([5, 1, 9])
    placed = padded_inputs(rows.packed_batch(PackingPlan.one_window_per_row(chosen, rows.lengths[chosen])))
    padded = rows.__getitems__(chosen)
    assert sorted(placed) == sorted(padded) == ["attention_mask", "input_ids", "labels"]
    assert all(torch.equal(placed[name], padded[name]) for name in padded)
    idle = rows.packed_batch(PackingPlan.one_window_per_row(chosen, rows.lengths[chosen], labelled=False))
    assert (idle["labels"] == IGNORE_INDEX).all()


def test_label_subtokens_first_labels_one_subtoken_of_each_token(corpus):
    split = corpus.split("train")
    labels = label_subtokens(split, "first")
    first = split.first_subtokens()
    assert (labels[~first] == IGNORE_INDEX).all()
    assert np.array_equal(labels[first], split.labels[split.tokens[first]])


def test_label_subtokens_all_continues_b_with_i(corpus):
    split = corpus.split("train")
    labels = label_subtokens(split, "all")
    first, real = split.first_subtokens(), split.tokens >= 0
    rest = real & ~first
    assert (labels[~real] == IGNORE_INDEX).all()
    assert np.array_equal(labels[first], split.labels[split.tokens[first]])
    token = split.labels[split.tokens[rest]]
    assert np.array_equal(labels[rest], np.where(token % 2 == 1, token + 1, token))
    assert (token % 2 == 1).any(), "the corpus must have a B- token of several subtokens"


def test_window_dataset_of_two_forms_contains_every_sentence_twice(corpus):
    split = corpus.split("train")
    twice = np.concatenate([split.forms[0], split.forms[1]])
    assert len(WindowDataset(split, twice, corpus.pad_id, "first")) == 2 * len(
        split.labels[split.sentence_offsets[:-1]]
    )
