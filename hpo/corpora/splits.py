"""Split dev from train and subsample splits, by seeded draws from the content of each sentence.

A draw does not depend on the other sentences, and a smaller fraction is a subset of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import Issue, UserError


def check_fractions(dev_fraction: float, fractions: Mapping[str, float]) -> None:
    """Check that the fractions are in range.

    Raises
    ------
    UserError
        If ``dev_fraction`` is not in (0, 1), or a value of ``fractions`` is not in (0, 1].
    """
    issues = []
    if not 0 < dev_fraction < 1:
        issues.append(Issue("dev_fraction", "must be in (0, 1)", dev_fraction, "0.1 is usual"))
    issues.extend(
        Issue(f"subsample.{split}", "must be in (0, 1]", fraction, "1 keeps the whole split")
        for split, fraction in fractions.items()
        if not 0 < fraction <= 1
    )
    if issues:
        raise UserError(issues)


def _rank(sentences: Sequence[Sentence], seed: int, purpose: str) -> list[int]:
    """Return the indices of the sentences, ordered by a hash of seed and sentence identity."""

    def draw(index: int) -> bytes:
        text = f"{purpose}\x1f{seed}\x1f{sentences[index].identity}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    return sorted(range(len(sentences)), key=draw)


def split_dev_from_train(corpus: Corpus, fraction: float, seed: int) -> Corpus:
    """Move this fraction of train, in (0, 1), to a new dev split; a single sentence stays in train."""
    train = corpus.splits["train"]
    if len(train) < 2:
        return replace(corpus, notes=(*corpus.notes, "no dev split: train has only one sentence"))
    count = min(max(1, round(fraction * len(train))), len(train) - 1)
    drawn = set(_rank(train, seed, "dev")[:count])
    parts = {
        "train": tuple(sentence for index, sentence in enumerate(train) if index not in drawn),
        "dev": tuple(train[index] for index in sorted(drawn)),
    }
    rest = {split: sentences for split, sentences in corpus.splits.items() if split not in parts}
    note = f"dev: {count} of {len(train)} train sentences, drawn with seed {seed}"
    return replace(corpus, splits={**parts, **rest}, notes=(*corpus.notes, note))


def subsample(corpus: Corpus, fractions: Mapping[str, float], seed: int) -> Corpus:
    """Keep this fraction, in (0, 1], of each named split, and at least one sentence.

    Raises
    ------
    UserError
        If the corpus does not have one of the named splits.
    """
    issues = [
        Issue(f"subsample.{split}", "no such split", fraction, f"the corpus has: {', '.join(corpus.splits)}")
        for split, fraction in fractions.items()
        if split not in corpus.splits
    ]
    if issues:
        raise UserError(issues)
    splits = dict(corpus.splits)
    notes = list(corpus.notes)
    for split, fraction in fractions.items():
        sentences = splits[split]
        count = max(1, round(fraction * len(sentences)))
        # The word "prune" is part of the draw: another one would select other sentences.
        kept = sorted(_rank(sentences, seed, "prune")[:count])
        splits[split] = tuple(sentences[index] for index in kept)
        if count < len(sentences):
            notes.append(f"{split}: {count} of {len(sentences)} sentences kept, drawn with seed {seed}")
    return replace(corpus, splits=splits, notes=tuple(notes))
