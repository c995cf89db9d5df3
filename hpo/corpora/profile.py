"""Corpus statistics: counts by split and type, duplicates, overlap between splits, and issues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.loading import read
from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.tag_families import apply as apply_family
from hpo.corpora.tag_families import load_family
from hpo.errors import Issue, UserError


@dataclass(frozen=True)
class SplitProfile:
    """The counts of one split.

    ``types`` maps each entity type to its number of entities, most frequent first. ``duplicates`` counts
    sentences with the tokens of an earlier one, ``longest`` is the number of tokens of the longest sentence,
    and ``repaired`` the number of labels repaired while converting to IOB2.
    """

    sentences: int
    tokens: int
    entities: int
    types: Mapping[str, int]
    auto_entities: int | None
    duplicates: int
    longest: int
    repaired: int


@dataclass(frozen=True)
class Profile:
    """The counts of a corpus by split.

    ``shared`` maps ``"train/test"`` to the number of sentences of the second split that have the tokens of
    a sentence of the first. If there are ``issues``, the corpus could not be read and nothing was counted.
    """

    name: str
    sha256: str = ""
    splits: Mapping[str, SplitProfile] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `json.dumps`, with issues as lines of text."""
        return {**asdict(self), "notes": list(self.notes), "issues": [str(issue) for issue in self.issues]}


def profile_data(
    data: str, *, tags: str | None = None, seed: int = 42, options: CorpusOptions | None = None
) -> Profile:
    """Profile the corpus that ``data`` names, with the splits of its source; include issues found in it.

    ``tags`` names a tag family to convert the labels to.

    Raises
    ------
    UserError
        If the tag family is unknown.
    """
    family = load_family(tags) if tags else None
    try:
        loaded = read(data, seed=seed, options=options)
        corpus = apply_family(family, loaded.corpus) if family else loaded.corpus
    except UserError as error:
        return Profile(data, issues=error.issues)
    return profile(corpus, loaded.repaired)


def profile(corpus: Corpus, repaired: Mapping[str, int] | None = None) -> Profile:
    """Profile a corpus; ``repaired`` is the number of repaired labels of each split."""
    repairs = repaired or {}
    splits = {split: _count(sentences, repairs.get(split, 0)) for split, sentences in corpus.splits.items()}
    return Profile(corpus.name, corpus.sha256, splits, _count_shared(corpus), corpus.notes)


def _count(sentences: Sequence[Sentence], repaired: int) -> SplitProfile:
    types = Counter(label[2:] for sentence in sentences for label in sentence.labels if label[0] == "B")
    layers = [sentence.auto_labels for sentence in sentences if sentence.auto_labels is not None]
    return SplitProfile(
        sentences=len(sentences),
        tokens=sum(len(sentence.tokens) for sentence in sentences),
        entities=types.total(),
        types=dict(types.most_common()),
        auto_entities=sum(label[0] == "B" for labels in layers for label in labels) if layers else None,
        duplicates=len(sentences) - len({sentence.tokens for sentence in sentences}),
        longest=max((len(sentence.tokens) for sentence in sentences), default=0),
        repaired=repaired,
    )


def _count_shared(corpus: Corpus) -> dict[str, int]:
    distinct = {split: {s.tokens for s in sentences} for split, sentences in corpus.splits.items()}
    return {
        f"{first}/{second}": sum(sentence.tokens in distinct[first] for sentence in corpus.splits[second])
        for first, second in combinations(corpus.splits, 2)
    }


_COLUMNS = ("sentences", "tokens", "entities", "duplicates", "longest", "repaired")


def format_profile(profile: Profile) -> list[str]:
    """Format a profile as lines of text with aligned columns."""
    text = [f"{profile.name}  sha256 {profile.sha256[:12]}"] if profile.sha256 else [profile.name]
    if profile.splits:
        rows = [["split", *_COLUMNS]]
        rows += [
            [name, *(f"{getattr(split, column):,}" for column in _COLUMNS)]
            for name, split in profile.splits.items()
        ]
        types = dict.fromkeys(name for split in profile.splits.values() for name in split.types)
        by_type = [["type", *profile.splits]]
        by_type += [
            [name, *(f"{split.types.get(name, 0):,}" for split in profile.splits.values())] for name in types
        ]
        if any(split.auto_entities is not None for split in profile.splits.values()):
            counts = (f"{split.auto_entities or 0:,}" for split in profile.splits.values())
            by_type.append(["(automatic)", *counts])
        text += ["", *_align(rows), "", *_align(by_type)]
    text += [f"{count:,} sentences are in both {pair}" for pair, count in profile.shared.items() if count]
    text += [f"note: {note}" for note in profile.notes]
    text += [f"issue: {issue}" for issue in profile.issues]
    return text


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
