"""Encoded corpora: made once per corpus, tokenizer and options, and stored as memory-mapped Arrow files.

Terms of this package:

- *form*: a sentence as cased, uncased or ne-lower (`hpo.corpora.variants.FORMS`).
- *encoding*: the subtokens of one distinct form of one sentence. Forms with equal subtokens share one
  encoding, so that nothing is trained, scored or stored twice under two names.
- *window*: one model input, special tokens included. An encoding has one window, or several overlapping
  ones if it exceeds the maximum length.
- *row*: one line of a batch tensor. A padded batch has one window per row, a packed batch several.
- *context*: subtokens that the model reads but that are neither trained nor scored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from hpo.corpora.label_sets import AUTO, BIO, LABEL_SETS
from hpo.corpora.sentences import Sentence
from hpo.encoding.encoded_split import EncodedSplit, load, store
from hpo.encoding.sentence_encoder import EncodingOptions, encode_tokenized
from hpo.encoding.word_table import WordTable


@dataclass(frozen=True)
class EncodedCorpus:
    """A folder with the encoded splits of a corpus under one tag family and tokenizer.

    ``label_names`` are IOB2 labels. ``native_label_set`` is the label set closest to the corpus's own scheme,
    a name in `hpo.corpora.label_sets.LABEL_SETS`.
    """

    folder: Path
    label_names: tuple[str, ...]
    pad_id: int
    vocabulary: int
    splits: tuple[str, ...]
    native_label_set: str = BIO

    @classmethod
    def open(cls, folder: Path) -> EncodedCorpus:
        """Open a folder that `write_corpus` wrote."""
        facts = json.loads((folder / "encoding.json").read_text(encoding="utf-8"))
        return cls(
            folder,
            tuple(facts["label_names"]),
            facts["pad_id"],
            facts["vocabulary"],
            tuple(facts["splits"]),
            facts.get("own_labels", BIO),
        )

    def model_labels(self, label_scheme: str) -> tuple[str, tuple[str, ...]]:
        """Return the name and the labels of the label set that ``label_scheme`` selects for this corpus."""
        name = self.native_label_set if label_scheme == AUTO else label_scheme
        return name, LABEL_SETS[name].names(self.types)

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types, in the family's order."""
        return tuple(name.removeprefix("B-") for name in self.label_names[1::2])

    @property
    def tokenizer(self) -> Path:
        """The folder with the tokenizer's files."""
        return self.folder / "tokenizer"

    @property
    def has_fast_tokenizer(self) -> bool:
        """Whether the tokenizer is a fast one, which maps subtokens to words."""
        return (self.tokenizer / "tokenizer.json").exists()

    def split(self, name: str) -> EncodedSplit:
        """Map one split from disk."""
        return load(self.folder, name)


def write_corpus(
    folder: Path,
    splits: Mapping[str, Sequence[Sentence]],
    label_names: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    options: EncodingOptions,
    native_label_set: str = BIO,
) -> EncodedCorpus:
    """Encode every split of a corpus into an existing, empty folder, and save the tokenizer there."""
    label_ids = {name: number for number, name in enumerate(label_names)}
    table = WordTable.of(list(chain.from_iterable(splits.values())), tokenizer)
    start = 0
    for name, sentences in splits.items():
        stop = start + sum(len(sentence.tokens) for sentence in sentences)
        store(encode_tokenized(sentences, label_ids, table.part(start, stop), options), folder, name)
        start = stop
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    facts = {
        "label_names": list(label_names),
        "pad_id": pad,
        "vocabulary": len(tokenizer),
        "splits": list(splits),
        "max_length": options.max_length,
        "context": options.context,
        "own_labels": native_label_set,
    }
    (folder / "encoding.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return EncodedCorpus.open(folder)
