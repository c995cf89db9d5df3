"""Generate the demo corpus: sentences from a seeded grammar, with the difficulties of real names.

It has words that differ from names only by case, names of several words, names unseen in training, names
within names, words with several types, and sentences with uninformative case, such as headlines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TypeVar

from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import unknown
from hpo.storage.yaml_files import read_yaml

SIZES = {"train": 2400, "dev": 450, "test": 450}
"""Sentences per split."""
UNSEEN_SHARE = {"train": 0.0, "dev": 0.15, "test": 0.15}
"""The share of the composed names of a split that is drawn from names not used in training."""
KNOWN_NAMES = 0.33
"""The share of all combinations of stem and ending that is used in training."""
MAX_TOKENS = 40
"""Longer sentences are discarded and drawn again."""
CASING = {"as written": 0.9, "headline": 0.02, "title": 0.02, "careless": 0.03, "emphatic": 0.03}
"""The share of sentences with unchanged case, and with each kind of case noise."""
EMPHASIS = 0.25
"""The share of the tokens of an emphatic sentence that is capitalized."""

Item = TypeVar("Item")
Word = tuple[str, str]
"""A token and its label."""


GRAMMARS = Path(__file__).parent / "grammars"
FILES = {"": "suc.yaml", "multinerd": "multinerd.yaml"}
"""The grammar of each demo corpus, by name; the first file explains the format."""


@dataclass(frozen=True)
class Vocabulary:
    """The rules of a grammar and its terminal words: ordinary words, listed names and composed names."""

    types: Sequence[str]
    rules: Mapping[str, str]
    words: Mapping[str, str]
    names: Mapping[str, str]
    composed: Mapping[str, Mapping[str, str]]

    @property
    def ambiguous_words(self) -> tuple[str, ...]:
        """The words, lower-cased and sorted, that are a name if capitalized and ordinary otherwise."""
        names = {word.lower() for words in self.names.values() for word in words.split()}
        plain = {word for words in self.words.values() for word in words.split()}
        return tuple(sorted(names & plain))


@cache
def read_vocabulary(name: str = "") -> Vocabulary:
    """Read the vocabulary of a demo corpus, a key of `FILES`."""
    return Vocabulary(**read_yaml(GRAMMARS / FILES[name]).data)


def generate(seed: int = 42, name: str = "") -> Corpus:
    """Generate a demo corpus: 2,400 / 450 / 450 sentences of 3 to 40 tokens, labelled in IOB2.

    ``name`` is ``multinerd`` for the fifteen types of MultiNERD, or empty for the nine of SUC 3.0.

    A seed produces the same sentences in every process and Python version, because all draws use
    `random.Random.random`, whose sequence Python guarantees. No two sentences are equal, even after
    lower-casing. ``sha256`` is the hash of the seed and the sentences.

    Raises
    ------
    UserError
        If the name is unknown.
    """
    if name not in FILES:
        raise unknown("data", "demo", f"demo:{name}", ("demo", *(f"demo:{each}" for each in FILES if each)))
    vocabulary = read_vocabulary(name)
    rng = Random(seed)
    names = {symbol: _compose(rng, **parts) for symbol, parts in vocabulary.composed.items()}
    rules = {symbol: _read_rule(text) for symbol, text in vocabulary.rules.items()}
    seen: set[tuple[str, ...]] = set()
    splits: dict[str, tuple[Sentence, ...]] = {}
    for split, size in SIZES.items():
        grammar = _Grammar(rng, vocabulary, rules, names, UNSEEN_SHARE[split])
        sentences: list[Sentence] = []
        while len(sentences) < size:
            words = grammar.write_sentence()
            key = tuple(token.lower() for token, _ in words)
            if len(words) > MAX_TOKENS or key in seen:
                continue
            seen.add(key)
            tokens, labels = zip(*_vary_case(rng, words), strict=True)
            sentences.append(Sentence(tokens, labels, id=f"demo-{split}-{len(sentences) + 1:04}"))
        splits[split] = tuple(sentences)
    return Corpus(f"demo:{name}" if name else "demo", splits, _hash(seed, splits))


@dataclass(frozen=True)
class _Grammar:
    rng: Random
    vocabulary: Vocabulary
    rules: Mapping[str, Sequence[str]]
    names: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    unseen_share: float

    def write_sentence(self) -> list[Word]:
        words = list(self._expand("sentence"))
        for index, ((token, label), (following, _)) in enumerate(pairwise(words)):
            if token == "a" and following[0] in "aeiouAEIOU":
                words[index] = ("an", label)
        return words

    def _expand(self, symbol: str) -> Iterator[Word]:
        if symbol not in self.rules:
            yield self._draw_word(symbol), "O"
            return
        prefix = "B-"
        for part in _choose(self.rng, self.rules[symbol]).split():
            for token, label in self._expand(part[1:-1]) if part.startswith("{") else [(part, "O")]:
                if symbol in self.vocabulary.types:
                    yield token, prefix + symbol
                    prefix = "I-"
                else:
                    yield token, label

    def _draw_word(self, symbol: str) -> str:
        if symbol in self.names:
            known, unseen = self.names[symbol]
            return _choose_skewed(self.rng, unseen if self.rng.random() < self.unseen_share else known)
        if symbol in self.vocabulary.names:
            return _choose(self.rng, self.vocabulary.names[symbol].split())
        word = _choose(self.rng, self.vocabulary.words[symbol.lower()].split())
        return word.capitalize() if symbol[0].isupper() else word


def _vary_case(rng: Random, words: Sequence[Word]) -> list[Word]:
    kind = _draw_casing(rng)
    if kind == "headline":
        return [(token.upper(), label) for token, label in words]
    if kind == "title":
        return [(_capitalize(token), label) for token, label in words]
    if kind == "careless":
        return [(token.lower(), label) for token, label in words]
    if kind == "emphatic":
        words = [(_capitalize(token) if rng.random() < EMPHASIS else token, label) for token, label in words]
    first = next(index for index, (token, _) in enumerate(words) if token[0].isalnum())
    return [
        (_capitalize(token) if index == first else token, label) for index, (token, label) in enumerate(words)
    ]


def _draw_casing(rng: Random) -> str:
    point = rng.random()
    for kind, share in CASING.items():
        point -= share
        if point < 0:
            return kind
    return "as written"


def _capitalize(token: str) -> str:
    return token[0].upper() + token[1:]


def _compose(rng: Random, stems: str, endings: str) -> tuple[list[str], list[str]]:
    """Combine every stem with every ending, and split the names into known and unseen in training."""
    shuffled = [(rng.random(), stem + ending) for stem in stems.split() for ending in endings.split()]
    names = [name for _, name in sorted(shuffled)]
    cut = round(len(names) * KNOWN_NAMES)
    return names[:cut], names[cut:]


def _read_rule(text: str) -> list[str]:
    lines = (line.strip().split(" ", 1) for line in text.strip().splitlines())
    return [template for weight, template in lines for _ in range(int(weight))]


def _choose(rng: Random, items: Sequence[Item]) -> Item:
    return items[int(rng.random() * len(items))]


def _choose_skewed(rng: Random, items: Sequence[Item]) -> Item:
    """Choose from a skewed distribution, similar to that of names in text."""
    return items[int(rng.random() ** 2 * len(items))]


def _hash(seed: int, splits: Mapping[str, Sequence[Sentence]]) -> str:
    digest = hashlib.sha256(f"{seed}\n".encode())
    for sentences in splits.values():
        for sentence in sentences:
            digest.update(json.dumps([sentence.id, sentence.tokens, sentence.labels]).encode())
    return digest.hexdigest()
