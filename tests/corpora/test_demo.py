"""The demo corpus is deterministic, well formed, and has the documented difficulties."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from hpo.corpora.demo import MAX_TOKENS, SIZES, generate, read_vocabulary
from hpo.corpora.sentences import SPLITS, Corpus, Sentence

SHA256 = "b4182644f30126189ca3bd1cb2c1250747d108b5da4523860ae31c365e905db4"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return generate()


def entities(sentence: Sentence) -> Iterator[tuple[str, tuple[str, ...]]]:
    starts = [place for place, label in enumerate(sentence.labels) if label.startswith("B-")]
    for start in starts:
        end = start + 1
        while end < len(sentence.labels) and sentence.labels[end].startswith("I-"):
            end += 1
        yield sentence.labels[start][2:], sentence.tokens[start:end]


def names(corpus: Corpus, split: str) -> list[tuple[str, tuple[str, ...]]]:
    return [entity for sentence in corpus.splits[split] for entity in entities(sentence)]


def test_generate_same_seed_is_deterministic(corpus: Corpus) -> None:
    assert generate(42) == corpus
    other = generate(43)
    assert other.sha256 != corpus.sha256
    assert other.splits["train"] != corpus.splits["train"]


def test_generate_default_seed_has_recorded_hash(corpus: Corpus) -> None:
    assert corpus.sha256 == SHA256


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_generate_other_hash_seed_gives_same_corpus(hash_seed: str) -> None:
    command = "from hpo.corpora.demo import generate; print(generate().sha256)"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == SHA256


def test_generate_splits_have_expected_sizes_and_unique_ids(corpus: Corpus) -> None:
    assert tuple(corpus.splits) == SPLITS
    assert {split: len(sentences) for split, sentences in corpus.splits.items()} == SIZES
    ids = [sentence.id for sentences in corpus.splits.values() for sentence in sentences]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_generate_sentence_lengths_vary(corpus: Corpus) -> None:
    lengths = [len(sentence.tokens) for sentence in corpus.splits["train"]]
    assert 3 <= min(lengths) <= 5
    assert 30 <= max(lengths) <= MAX_TOKENS
    assert 11 <= sum(lengths) / len(lengths) <= 14


def test_generate_tokens_contain_no_whitespace(corpus: Corpus) -> None:
    for sentences in corpus.splits.values():
        for sentence in sentences:
            assert len(sentence.tokens) == len(sentence.labels)
            assert all(token and not set(token) & set(" {}\t\n") for token in sentence.tokens)


def test_generate_labels_are_iob2(corpus: Corpus) -> None:
    for sentences in corpus.splits.values():
        for sentence in sentences:
            for before, label in zip(("O", *sentence.labels), sentence.labels, strict=False):
                assert label == "O" or (label[:2] in ("B-", "I-") and label[2:] in read_vocabulary().types)
                assert not label.startswith("I-") or before[2:] == label[2:]


@pytest.mark.parametrize("split", SPLITS)
def test_generate_every_split_has_all_types(corpus: Corpus, split: str) -> None:
    counts = Counter(kind for kind, _ in names(corpus, split))
    assert set(counts) == set(read_vocabulary().types)
    assert min(counts.values()) >= 20


@pytest.mark.parametrize("split", SPLITS)
def test_generate_some_sentences_have_no_entities(corpus: Corpus, split: str) -> None:
    sentences = corpus.splits[split]
    assert 0.1 <= sum(set(sentence.labels) == {"O"} for sentence in sentences) / len(sentences) <= 0.3


def test_generate_sentences_are_unique(corpus: Corpus) -> None:
    seen = [
        tuple(token.lower() for token in sentence.tokens)
        for sentences in corpus.splits.values()
        for sentence in sentences
    ]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_generate_dev_and_test_contain_unseen_names(corpus: Corpus, split: str) -> None:
    known = {word.lower() for _, name in names(corpus, "train") for word in name}
    asked = names(corpus, split)
    new = sum(any(word.lower() not in known for word in name) for _, name in asked)
    assert 0.05 <= new / len(asked) <= 0.3


@pytest.mark.parametrize("split", ["train", "dev"])
def test_generate_ambiguous_words_occur_as_names_and_ordinary_words(corpus: Corpus, split: str) -> None:
    uses: dict[str, Counter[bool]] = {word: Counter() for word in read_vocabulary().ambiguous_words}
    for sentence in corpus.splits[split]:
        for token, label in zip(sentence.tokens, sentence.labels, strict=True):
            if token.lower() in uses:
                uses[token.lower()][label != "O"] += 1
    assert len(uses) >= 40
    both = sum(len(use) == 2 for use in uses.values())
    assert both / len(uses) >= {"train": 0.95, "dev": 0.5}[split]


def test_generate_ambiguous_words_have_several_types(corpus: Corpus) -> None:
    types: dict[str, set[str]] = {}
    for kind, name in names(corpus, "train"):
        if len(name) == 1:
            types.setdefault(name[0], set()).add(kind)
    assert {"person", "place", "inst"} <= types["Washington"]
    assert {"product", "inst"} <= types["Jaguar"]


def test_generate_places_occur_inside_other_names(corpus: Corpus) -> None:
    found = names(corpus, "train")
    places = {name for kind, name in found if kind == "place"}
    for kind in ("inst", "work", "event", "other"):
        assert any(name[-1:] in places or name[:1] in places for other, name in found if other == kind), kind


@pytest.mark.parametrize("split", SPLITS)
def test_generate_some_sentences_have_case_noise(corpus: Corpus, split: str) -> None:
    sentences = corpus.splits[split]
    shouted = sum(
        all(token.isupper() for token in sentence.tokens if token.isalpha()) for sentence in sentences
    )
    assert 0.01 <= shouted / len(sentences) <= 0.08
    lowered = sum(any(name[0].islower() for _, name in entities(sentence)) for sentence in sentences)
    assert 0.01 <= lowered / len(sentences) <= 0.1
    capitals = sum(
        any(
            token[0].isupper()
            for token, label in list(zip(sentence.tokens, sentence.labels, strict=True))[2:]
            if label == "O"
        )
        for sentence in sentences
    )
    assert 0.05 <= capitals / len(sentences) <= 0.3
