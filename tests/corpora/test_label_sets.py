"""Model labels are converted from IOB2 and back with the results of the corpus label schemes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.corpora.label_schemes import SCHEMES, LabelConverter
from hpo.corpora.label_sets import (
    BILOU,
    BIO,
    DEFAULT_LABEL_SETS,
    LABEL_SETS,
    PLAIN,
    count_adjacent,
    detect_label_set,
)
from hpo.corpora.spans import encode, extract, label_names

TYPES = ("PER", "LOC", "ORG-x")
READERS = {PLAIN: "plain", BIO: "IOB2", BILOU: "BILOU"}
sets = pytest.mark.parametrize("name", LABEL_SETS)


@st.composite
def corpora(draw):
    """Sentences in IOB2, with entities that touch and entities at both ends."""
    sentences = []
    for _ in range(draw(st.integers(0, 4))):
        labels = []
        for kind, length in draw(
            st.lists(st.tuples(st.sampled_from((None, *TYPES)), st.integers(1, 3)), max_size=5)
        ):
            if kind is None:
                labels += ["O"] * length
            else:
                labels += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
        sentences.append(labels)
    return sentences


def in_words(numbers, offsets, names):
    return [[names[n] for n in numbers[a:b]] for a, b in pairwise(offsets)]


@sets
@given(sentences=corpora())
def test_to_iob2_of_converted_labels_matches_scheme_reader(name, sentences):
    labels, offsets = encode(sentences, TYPES)
    scheme = LABEL_SETS[name]
    written = scheme.from_iob2(labels, offsets)
    words = in_words(written, offsets, scheme.names(TYPES))
    reader = LabelConverter(READERS[name])
    read = [reader.to_iob2(each) for each in words]
    assert all(not reader.problem_with(label) for each in words for label in each)
    assert sum(repaired for _, repaired in read) == 0
    again = scheme.to_iob2(written, offsets)
    assert in_words(again, offsets, label_names(TYPES)) == [list(each) for each, _ in read]
    if name != PLAIN:  # plain joins what touches
        assert np.array_equal(again, labels)


@given(sentences=corpora())
def test_plain_to_iob2_joins_only_adjacent_entities(sentences):
    labels, offsets = encode(sentences, TYPES)
    again = LABEL_SETS[PLAIN].to_iob2(LABEL_SETS[PLAIN].from_iob2(labels, offsets), offsets)
    joined, entities = count_adjacent(labels, offsets)
    assert entities == len(extract(labels, offsets).starts)
    assert entities - joined == len(extract(again, offsets).starts)
    assert np.array_equal(again > 0, labels > 0)


@sets
@given(data=st.data())
def test_to_iob2_of_arbitrary_labels_matches_scheme_reader(name, data):
    names = LABEL_SETS[name].names(TYPES)
    lengths = data.draw(st.lists(st.integers(0, 6), max_size=4))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    said = np.asarray(
        data.draw(st.lists(st.integers(0, len(names) - 1), min_size=sum(lengths), max_size=sum(lengths))),
        np.int64,
    )
    read = LABEL_SETS[name].to_iob2(said, offsets)
    reader = LabelConverter(READERS[name])
    expected = [list(reader.to_iob2(each)[0]) for each in in_words(said, offsets, names)]
    if name == BIO:  # unchanged; spans follow seqeval
        assert read is said
        gold, _ = encode(expected, TYPES)
        assert np.array_equal(extract(said, offsets).starts, extract(gold, offsets).starts)
    else:
        assert in_words(read, offsets, label_names(TYPES)) == expected


def test_names_are_in_label_order():
    assert LABEL_SETS[PLAIN].names(("a", "b")) == ("O", "a", "b")
    assert LABEL_SETS[BIO].names(("a", "b")) == label_names(("a", "b"))
    assert LABEL_SETS[BILOU].names(("a",)) == ("O", "B-a", "I-a", "L-a", "U-a")


@sets
def test_detect_label_set_of_its_names_returns_set_and_types(name):
    assert detect_label_set(LABEL_SETS[name].names(TYPES)) == (name, TYPES)
    assert detect_label_set(LABEL_SETS[name].names(("one",))) == (name, ("one",))


@pytest.mark.parametrize(
    "names", [("B-a", "I-a", "O"), ("O",), ("O", "B-a", "I-b"), ("O", "I-a", "B-a"), ("O", "B-a"), ()]
)
def test_detect_label_set_of_other_names_returns_none(names):
    assert detect_label_set(names) is None


def test_continuation_of_begin_label_is_inside_label():
    for name, expected in ((PLAIN, [0, 1, 2]), (BIO, [0, 2, 2, 4, 4]), (BILOU, [0, 2, 2, 3, 4, 6, 6, 7, 8])):
        assert LABEL_SETS[name].continuation(np.arange(len(expected))).tolist() == expected, name


def test_default_label_sets_cover_all_schemes():
    assert DEFAULT_LABEL_SETS.keys() == SCHEMES.keys()
    assert set(DEFAULT_LABEL_SETS.values()) == set(LABEL_SETS)
