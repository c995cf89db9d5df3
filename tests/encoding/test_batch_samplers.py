"""Batch samplers draw each window once per epoch, repeat by seed and epoch, and leave little padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler, RandomBatchSampler
from hpo.encoding.packing import pack_batches
from hpo.encoding.window_dataset import WindowDataset

SAMPLERS = (RandomBatchSampler, PackedBatchSampler, LengthGroupedBatchSampler)
kinds = pytest.mark.parametrize("kind", SAMPLERS)
SENTENCES = np.random.default_rng(0).gamma(2.5, 9, 4000).astype(int) + 3


def lists(batches):
    return [sorted(each.windows.tolist()) for each in batches]


def share_of_subtokens(batches):
    return batches.lengths.sum() / sum(each.height * each.width for each in batches)


@kinds
@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_batch_sampler_in_one_epoch_draws_every_window_once(kind, batch_size):
    lengths = np.random.default_rng(0).integers(3, 90, 501)
    batches = kind(lengths, batch_size, seed=3)
    drawn = lists(batches)
    assert len(drawn) == len(batches)
    assert sorted(row for batch in drawn for row in batch) == list(range(501))
    assert sorted(map(len, drawn))[1:] == [batch_size] * (len(drawn) - 1)


@kinds
def test_batch_sampler_draws_differ_by_epoch_and_repeat(kind):
    lengths = np.random.default_rng(0).integers(3, 90, 200)
    batches = kind(lengths, 8, seed=3)
    first = lists(batches)
    batches.set_epoch(1)
    second = lists(batches)
    batches.set_epoch(0)
    assert first == lists(batches) != second
    assert first != lists(kind(lengths, 8, seed=4))


def test_packed_batch_sampler_draws_the_batches_of_the_random_one():
    assert lists(PackedBatchSampler(SENTENCES, 32, seed=5)) == lists(
        RandomBatchSampler(SENTENCES, 32, seed=5)
    )
    assert lists(LengthGroupedBatchSampler(SENTENCES, 32, seed=5)) != lists(
        RandomBatchSampler(SENTENCES, 32, seed=5)
    )


def test_packed_batch_sampler_ignores_lengths_when_drawing():
    """Mean lengths of length-grouped batches vary as lengths do, those of random batches less by √32."""
    spread = [
        np.std([SENTENCES[each.windows].mean() for each in kind(SENTENCES, 32, seed=1)])
        for kind in (LengthGroupedBatchSampler, PackedBatchSampler)
    ]
    assert spread[0] > 0.9 * SENTENCES.std()
    assert spread[1] == pytest.approx(SENTENCES.std() / np.sqrt(32), rel=0.2)


@pytest.mark.parametrize("size, parts", [(4, 4), (8, 8), (16, 4), (32, 8)])
def test_micro_batches_of_a_packed_batch_are_no_larger_than_padded_ones(size, parts):
    """A part is at most as large as its windows padded, apart from the slack of a row."""
    for plan in PackedBatchSampler(SENTENCES, size, seed=3, accumulation_steps=parts):
        rows = -(-plan.height // parts)
        padded = -(-len(plan.windows) // parts) * (1.05 * SENTENCES[plan.windows].max() + 1)
        assert rows * plan.width <= padded


def test_packed_batch_sampler_with_batch_size_above_corpus_size_draws_one_batch():
    lengths = np.arange(3, 40)
    (plan,) = PackedBatchSampler(lengths, 4096, seed=1)
    assert sorted(plan.windows) == list(range(37))


@pytest.mark.parametrize("size", [4, 8, 16, 32, 128])
def test_packed_batch_sampler_leaves_little_padding(size):
    assert share_of_subtokens(PackedBatchSampler(SENTENCES, size, seed=3)) > 0.94


def test_length_grouped_batch_sampler_leaves_little_padding():
    assert share_of_subtokens(LengthGroupedBatchSampler(SENTENCES, 32, seed=3)) > 0.94


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
    st.integers(1, 12),
    st.sampled_from(SAMPLERS),
    st.integers(1, 4),
)
def test_packing_plan_places_windows_without_overlap(lengths, size, kind, count):
    lengths = np.array(lengths)
    for own in range(count):
        for plan in kind(lengths, size, seed=2, rank=own, world_size=count):
            taken = np.zeros((plan.height, plan.width), int)
            for row, line, column in zip(plan.windows, plan.rows, plan.columns, strict=True):
                taken[line, column : column + lengths[row]] += 1
            assert taken.max() == 1
            assert taken.sum() == lengths[plan.windows].sum(), "windows are complete"
            assert taken[:, 0].all() and taken[:, -1].any(), "every row and the last column hold subtokens"


def test_pack_batches_of_equal_lengths_leaves_no_padding():
    (plan,) = pack_batches(np.arange(32)[None], np.full(32, 64))
    assert plan.height * plan.width == 32 * 64


@kinds
@pytest.mark.parametrize("count, size", [(2, 9), (3, 7), (4, 4), (5, 3)])
def test_batch_sampler_shares_of_all_processes_make_up_the_batch(kind, count, size):
    lengths = np.random.default_rng(0).integers(3, 90, 50)
    whole = lists(kind(lengths, size, seed=3))
    shares = [list(kind(lengths, size, seed=3, rank=own, world_size=count)) for own in range(count)]
    assert {len(each) for each in shares} == {len(whole)}, "processes take equally many steps"
    for rows, parts in zip(whole, zip(*shares, strict=True), strict=True):
        real = [each.windows.tolist() for each in parts if each.labelled]
        assert sorted(row for part in real for row in part) == rows
        sizes = [len(part) for part in real] + [0] * (count - len(real))
        assert max(sizes) - min(sizes) <= 1
        assert all(len(each.windows) for each in parts), "every process has a window"
        weights = [lengths[part].sum() for part in real] + [0] * (count - len(real))
        assert max(weights) - min(weights) <= lengths[rows].max(), "lengths are balanced"


@kinds
def test_data_loader_requests_whole_batches(corpus, kind):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    loader = DataLoader(rows, batch_sampler=kind(rows.lengths, 16, 1), collate_fn=lambda batch: batch)
    taken = sum(int(((batch["positions"] == 0) & (batch["segment_ids"] > 0)).sum()) for batch in loader)
    assert taken == len(rows)
