"""The MultiNERD demo corpus: all fifteen types in every split, in both families, with ambiguous words."""

from collections import Counter

import pytest

from hpo.corpora.demo import MAX_TOKENS, SIZES, generate
from hpo.corpora.loading import load
from hpo.corpora.sentences import SPLITS
from hpo.corpora.tag_families import apply, load_family
from hpo.errors import UserError

SHA256 = "653273f9bedfed5c5462776469d16a911a90ced7b9e8c95a4fa48679905f4055"


@pytest.fixture(scope="module")
def corpus():
    return load("demo:multinerd")


def types_of(sentences):
    return Counter(label[2:] for each in sentences for label in each.labels if label.startswith("B-"))


def test_generate_same_seed_is_deterministic(corpus):
    assert corpus == generate(42, "multinerd")
    assert (corpus.name, corpus.sha256) == ("demo:multinerd", SHA256)
    assert load("demo:multinerd", seed=7).sha256 != corpus.sha256


@pytest.mark.parametrize("split", SPLITS)
def test_generate_every_split_has_all_types(corpus, split):
    counts = types_of(corpus.splits[split])
    assert set(counts) == set(load_family("multinerd-a").types)
    assert len(counts) == 15
    assert min(counts.values()) >= 12
    assert len(corpus.splits[split]) == SIZES[split]
    assert max(len(each.tokens) for each in corpus.splits[split]) <= MAX_TOKENS


def test_apply_multinerd_families_accept_demo_types(corpus):
    whole = apply(load_family("multinerd-a"), corpus)
    assert whole.splits == corpus.splits
    five = apply(load_family("multinerd-b"), corpus)
    for split in SPLITS:
        every = types_of(corpus.splits[split])
        kept = ("PER", "ORG", "LOC", "DIS", "ANIM")
        assert types_of(five.splits[split]) == {name: every[name] for name in kept}


def test_generate_labels_are_iob2_and_sentences_unique(corpus):
    seen = set()
    for sentences in corpus.splits.values():
        for sentence in sentences:
            seen.add(tuple(token.lower() for token in sentence.tokens))
            for before, label in zip(("O", *sentence.labels), sentence.labels, strict=False):
                assert not label.startswith("I-") or before[2:] == label[2:]
            assert all(token and not set(token) & set(" {}\t\n") for token in sentence.tokens)
    assert len(seen) == sum(SIZES.values())


def test_generate_some_sentences_have_no_entities(corpus):
    for sentences in corpus.splits.values():
        assert 0.1 <= sum(set(each.labels) == {"O"} for each in sentences) / len(sentences) <= 0.3


@pytest.mark.parametrize(
    ("word", "types"),
    [
        ("mercury", {"CEL", "MYTH", "VEHI", "LOC", "O"}),
        ("orange", {"FOOD", "PLANT", "LOC", "ORG", "O"}),
        ("jaguar", {"ANIM", "ORG", "VEHI"}),
        ("rose", {"PER", "PLANT", "O"}),
        ("turkey", {"ANIM", "FOOD", "LOC"}),
    ],
)
def test_generate_ambiguous_words_have_several_types(corpus, word, types):
    found = {
        label[2:] or "O"
        for each in corpus.splits["train"]
        for token, label in zip(each.tokens, each.labels, strict=True)
        if token.lower() == word
    }
    assert types <= found


def test_load_unknown_demo_raises_with_known_names():
    with pytest.raises(
        UserError, match=r"data: unknown demo \(got 'demo:nope'; known: demo, demo:multinerd\)"
    ):
        load("demo:nope")
