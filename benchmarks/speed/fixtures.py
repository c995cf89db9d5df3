"""The corpus that all arms are given: as text for the peers, encoded for ours, from the same sentences."""

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
    """A corpus in a tag family's labels, under a folder: ``SPLIT.jsonl``, ``encoded/``, ``fixture.json``."""

    folder: Path

    @property
    def encoded(self) -> Path:
        """The folder of the corpus as `write_corpus` writes it, its tokenizer in it."""
        return self.folder / "encoded"

    @property
    def facts(self) -> dict[str, Any]:
        """Name, sha256, tags, label names and number of sentences by split."""
        return dict(read_json(self.folder / "fixture.json"))

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels in the order of their numbers."""
        return tuple(self.facts["label_names"])

    def path(self, split: str) -> Path:
        """The file of a split's sentences."""
        return self.folder / f"{split}.jsonl"

    def sentences(self, split: str) -> tuple[Sentence, ...]:
        """A split's sentences, in the family's labels."""
        return tuple(
            Sentence(tuple(line["tokens"]), tuple(line["ner_tags"]), line["id"])
            for line in read_lines(self.path(split))
        )

    def write(self, split: str, sentences: Iterable[Sentence]) -> None:
        """Write the file of a split's sentences."""
        lines = ({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels} for each in sentences)
        write_lines(self.path(split), lines)


def make(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Write a material: ``data``, ``tags``, ``seed``, ``share`` of train and dev, and the folder ``out``.

    Sentences longer than the model's window are left out: we cut them into several windows, and the
    token-classification example truncates them, which would not be the same work.

    Raises
    ------
    UserError
        if the corpus or the family is refused.
    """
    from hpo.encoding.encoded_corpus import write_corpus
    from hpo.encoding.sentence_encoder import EncodingOptions
    from hpo.encoding.tokenizers import TINY_MAX_LENGTH, train_wordpiece

    folder, family = Path(spec["out"]), load_family(spec["tags"])
    share = spec["share"]
    corpus = load(
        spec["data"], seed=spec["seed"], subsample={"train": share, "dev": share} if share < 1 else {}
    )
    corpus = apply(family, corpus)
    tokenizer = train_wordpiece(sentence.tokens for sentence in corpus.splits["train"])
    splits = {
        name: _short(sentences, tokenizer, TINY_MAX_LENGTH) for name, sentences in corpus.splits.items()
    }
    names = label_names(family.types)
    (folder / "encoded").mkdir(parents=True)
    write_corpus(
        folder / "encoded",
        splits,
        names,
        tokenizer,
        EncodingOptions(max_length=TINY_MAX_LENGTH, seed=spec["seed"]),
    )
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


def _short(sentences: Sequence[Sentence], tokenizer: Any, window: int) -> tuple[Sentence, ...]:
    ids: Iterable[Sequence[int]] = tokenizer(
        [list(sentence.tokens) for sentence in sentences], is_split_into_words=True
    )["input_ids"]
    return tuple(each for each, row in zip(sentences, ids, strict=True) if len(row) <= window)
