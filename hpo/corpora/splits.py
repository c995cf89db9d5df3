"""Seeded shares of a split: drawn by what a sentence is, not by where it stands.

A sentence keeps its draw when others come or go, and a smaller share is a subset of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import Issue, UserError


def check_shares(dev_share: float, prune: Mapping[str, float]) -> None:
    """Refuse shares that are none.

    Raises
    ------
    UserError
        if ``dev_share`` is not in (0, 1) or a share of ``prune`` not in (0, 1].
    """
    issues = []
    if not 0 < dev_share < 1:
        issues.append(Issue("dev_share", "must lie in (0, 1)", dev_share, "0.1 is usual"))
    issues.extend(
        Issue(f"prune.{split}", "must lie in (0, 1]", share, "1 keeps the whole split")
        for split, share in prune.items()
        if not 0 < share <= 1
    )
    if issues:
        raise UserError(issues)


def _rank(sentences: Sequence[Sentence], seed: int, purpose: str) -> list[int]:
    """Places of the sentences, by a draw that depends on each one's identity and the seed alone."""

    def draw(place: int) -> bytes:
        text = f"{purpose}\x1f{seed}\x1f{sentences[place].identity}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    return sorted(range(len(sentences)), key=draw)


def split_dev_from_train(corpus: Corpus, share: float, seed: int) -> Corpus:
    """The corpus with this share of train, in (0, 1), as dev; a train of one sentence stays whole."""
    train = corpus.splits["train"]
    if len(train) < 2:
        return replace(corpus, notes=(*corpus.notes, "no dev split: train has one sentence alone"))
    count = min(max(1, round(share * len(train))), len(train) - 1)
    drawn = set(_rank(train, seed, "dev")[:count])
    cut = {
        "train": tuple(sentence for place, sentence in enumerate(train) if place not in drawn),
        "dev": tuple(train[place] for place in sorted(drawn)),
    }
    rest = {split: sentences for split, sentences in corpus.splits.items() if split not in cut}
    note = f"dev: {count} of {len(train)} train sentences, cut off by a draw with seed {seed}"
    return replace(corpus, splits={**cut, **rest}, notes=(*corpus.notes, note))


def subsample(corpus: Corpus, shares: Mapping[str, float], seed: int) -> Corpus:
    """The corpus with this share, in (0, 1], of each named split; of each at least one sentence.

    Raises
    ------
    UserError
        if a split is named that the corpus does not have.
    """
    issues = [
        Issue(f"prune.{split}", "no such split", share, f"the corpus has: {', '.join(corpus.splits)}")
        for split, share in shares.items()
        if split not in corpus.splits
    ]
    if issues:
        raise UserError(issues)
    splits = dict(corpus.splits)
    notes = list(corpus.notes)
    for split, share in shares.items():
        sentences = splits[split]
        count = max(1, round(share * len(sentences)))
        kept = sorted(_rank(sentences, seed, "prune")[:count])
        splits[split] = tuple(sentences[place] for place in kept)
        if count < len(sentences):
            notes.append(f"{split}: {count} of {len(sentences)} sentences kept, by a draw with seed {seed}")
    return replace(corpus, splits=splits, notes=tuple(notes))
