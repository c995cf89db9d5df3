"""Prepares the corpus that all contestants use: as text for the peers and encoded for ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.corpora.loading import load
from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import apply, load_family
from hpo.storage.atomic import read_json, write_json, write_lines
from hpo.storage.journal import read_lines


@dataclass(frozen=True)
class Fixture:
    """A folder with a corpus in one tag family: ``SPLIT.jsonl``, ``encoded/`` and ``fixture.json``."""

    folder: Path

    @property
    def encoded(self) -> Path:
        """The folder of the encoded corpus, as `write_corpus` writes it, with its tokenizer."""
        return self.folder / "encoded"

    @property
    def facts(self) -> dict[str, Any]:
        """Name, sha256, tag family, label names, and number of sentences per split."""
        return dict(read_json(self.folder / "fixture.json"))

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels in the order of their numbers."""
        return tuple(self.facts["label_names"])

    def path(self, split: str) -> Path:
        """Return the file with the sentences of a split."""
        return self.folder / f"{split}.jsonl"

    def sentences(self, split: str) -> tuple[Sentence, ...]:
        """Read the sentences of a split."""
        return tuple(
            Sentence(tuple(line["tokens"]), tuple(line["ner_tags"]), line["id"])
            for line in read_lines(self.path(split))
        )

    def write(self, split: str, sentences: Iterable[Sentence]) -> None:
        """Write the sentences of a split."""
        lines = ({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels} for each in sentences)
        write_lines(self.path(split), lines)


def make(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Make a fixture, and return its facts.

    ``spec``: ``data``, ``tags``, ``seed``, ``fraction`` of train and dev in (0, 1], and the folder ``out``.
    Sentences longer than the model's window are dropped, because we split them into several windows while
    the token-classification example truncates them, which is less work.

    Raises
    ------
    UserError
        if the corpus or the tag family is invalid.
    """
    from hpo.encoding.encoded_corpus import write_corpus
    from hpo.encoding.sentence_encoder import EncodingOptions
    from hpo.encoding.tokenizers import TINY_MAX_LENGTH, train_wordpiece

    folder, family, fraction = Path(spec["out"]), load_family(spec["tags"]), spec["fraction"]
    subsample = {"train": fraction, "dev": fraction} if fraction < 1 else {}
    corpus = apply(family, load(spec["data"], seed=spec["seed"], subsample=subsample))
    tokenizer = train_wordpiece(sentence.tokens for sentence in corpus.splits["train"])
    splits = {
        name: _within_window(sentences, tokenizer, TINY_MAX_LENGTH)
        for name, sentences in corpus.splits.items()
    }
    names = label_names(family.types)
    (folder / "encoded").mkdir(parents=True)
    options = EncodingOptions(max_length=TINY_MAX_LENGTH, seed=spec["seed"])
    write_corpus(folder / "encoded", splits, names, tokenizer, options)
    for name, sentences in splits.items():
        Fixture(folder).write(name, sentences)
    facts = {
        "name": corpus.name,
        "sha256": corpus.sha256,
        "tags": spec["tags"],
        "label_names": names,
        "sentences": {name: len(sentences) for name, sentences in splits.items()},
    }
    write_json(folder / "fixture.json", facts)
    return facts


def _within_window(sentences: Sequence[Sentence], tokenizer: Any, window: int) -> tuple[Sentence, ...]:
    """Return the sentences of at most ``window`` subtokens."""
    ids: Iterable[Sequence[int]] = tokenizer(
        [list(sentence.tokens) for sentence in sentences], is_split_into_words=True
    )["input_ids"]
    return tuple(each for each, row in zip(sentences, ids, strict=True) if len(row) <= window)
