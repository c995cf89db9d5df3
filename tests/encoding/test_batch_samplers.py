"""Batches hold each row once, change with the epoch, and waste little on padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler, RandomBatchSampler
from hpo.encoding.packing import pack_batches
from hpo.encoding.window_dataset import WindowDataset

KINDS = (RandomBatchSampler, PackedBatchSampler, LengthGroupedBatchSampler)
kinds = pytest.mark.parametrize("kind", KINDS)
SENTENCES = np.random.default_rng(0).gamma(2.5, 9, 4000).astype(int) + 3


def lists(batches):
    return [sorted(each.windows.tolist()) for each in batches]


def share_of_real(batches):
    return batches.lengths.sum() / sum(each.height * each.width for each in batches)


@kinds
@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_an_epoch_takes_every_row_once(kind, batch_size):
    lengths = np.random.default_rng(0).integers(3, 90, 501)
    batches = kind(lengths, batch_size, seed=3)
    drawn = lists(batches)
    assert len(drawn) == len(batches)
    assert sorted(row for batch in drawn for row in batch) == list(range(501))
    assert sorted(map(len, drawn))[1:] == [batch_size] * (len(drawn) - 1)


@kinds
def test_epochs_differ_and_repeat_by_their_number(kind):
    lengths = np.random.default_rng(0).integers(3, 90, 200)
    batches = kind(lengths, 8, seed=3)
    first = lists(batches)
    batches.set_epoch(1)
    second = lists(batches)
    batches.set_epoch(0)
    assert first == lists(batches) != second
    assert first != lists(kind(lengths, 8, seed=4))


def test_packed_batches_are_the_random_ones():
    assert lists(PackedBatchSampler(SENTENCES, 32, seed=5)) == lists(
        RandomBatchSampler(SENTENCES, 32, seed=5)
    )
    assert lists(LengthGroupedBatchSampler(SENTENCES, 32, seed=5)) != lists(
        RandomBatchSampler(SENTENCES, 32, seed=5)
    )


def test_rows_are_drawn_without_regard_to_their_length():
    """Means of batches of similar length spread as far as lengths do, of random ones less by √32."""
    spread = [
        np.std([SENTENCES[each.windows].mean() for each in kind(SENTENCES, 32, seed=1)])
        for kind in (LengthGroupedBatchSampler, PackedBatchSampler)
    ]
    assert spread[0] > 0.9 * SENTENCES.std()
    assert spread[1] == pytest.approx(SENTENCES.std() / np.sqrt(32), rel=0.2)


@pytest.mark.parametrize("size, parts", [(4, 4), (8, 8), (16, 4), (32, 8)])
def test_parts_of_a_packed_batch_save_memory(size, parts):
    """None takes more than as many padded rows would, but for the slack of a line."""
    for placement in PackedBatchSampler(SENTENCES, size, seed=3, accumulation_steps=parts):
        lines = -(-placement.height // parts)
        padded = -(-len(placement.windows) // parts) * (1.05 * SENTENCES[placement.windows].max() + 1)
        assert lines * placement.width <= padded


def test_a_batch_larger_than_the_corpus_is_laid_out_as_the_corpus():
    lengths = np.arange(3, 40)
    (placement,) = PackedBatchSampler(lengths, 4096, seed=1)
    assert sorted(placement.windows) == list(range(37))


@pytest.mark.parametrize("size", [4, 8, 16, 32, 128])
def test_most_of_a_packed_batch_is_real(size):
    assert share_of_real(PackedBatchSampler(SENTENCES, size, seed=3)) > 0.94


def test_most_of_a_grouped_batch_is_real():
    assert share_of_real(LengthGroupedBatchSampler(SENTENCES, 32, seed=3)) > 0.94


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
    st.integers(1, 12),
    st.sampled_from(KINDS),
    st.integers(1, 4),
)
def test_rows_stand_beside_each_other_within_their_batch(lengths, size, kind, count):
    lengths = np.array(lengths)
    for own in range(count):
        for placement in kind(lengths, size, seed=2, rank=own, world_size=count):
            taken = np.zeros((placement.height, placement.width), int)
            for row, line, column in zip(placement.windows, placement.rows, placement.columns, strict=True):
                taken[line, column : column + lengths[row]] += 1
            assert taken.max() == 1
            assert taken.sum() == lengths[placement.windows].sum(), "none is cut off"
            assert taken[:, 0].all() and taken[:, -1].any(), "no line and no column is padding alone"


def test_rows_of_one_length_fill_their_lines():
    (placement,) = pack_batches(np.arange(32)[None], np.full(32, 64))
    assert placement.height * placement.width == 32 * 64


@kinds
@pytest.mark.parametrize("count, size", [(2, 9), (3, 7), (4, 4), (5, 3)])
def test_the_shares_of_all_processes_are_the_batch(kind, count, size):
    lengths = np.random.default_rng(0).integers(3, 90, 50)
    whole = lists(kind(lengths, size, seed=3))
    shares = [list(kind(lengths, size, seed=3, rank=own, world_size=count)) for own in range(count)]
    assert {len(each) for each in shares} == {len(whole)}, "all take as many steps"
    for rows, parts in zip(whole, zip(*shares, strict=True), strict=True):
        real = [each.windows.tolist() for each in parts if each.labelled]
        assert sorted(row for part in real for row in part) == rows
        sizes = [len(part) for part in real] + [0] * (count - len(real))
        assert max(sizes) - min(sizes) <= 1
        assert all(len(each.windows) for each in parts), "none goes without"
        weights = [lengths[part].sum() for part in real] + [0] * (count - len(real))
        assert max(weights) - min(weights) <= lengths[rows].max(), "nor with all the long ones"


@kinds
def test_the_loader_of_torch_asks_for_whole_batches(corpus, kind):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, "first")
    loader = DataLoader(rows, batch_sampler=kind(rows.lengths, 16, 1), collate_fn=lambda batch: batch)
    taken = sum(int(((batch["positions"] == 0) & (batch["segment_ids"] > 0)).sum()) for batch in loader)
    assert taken == len(rows)
