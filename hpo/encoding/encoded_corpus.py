"""Sentences to subtoken windows: made once per corpus and tokenizer, kept as memory-mapped Arrow.

The three case forms of every sentence are encoded together, and forms that come out alike share
one encoding, so that nothing is trained, scored or stored twice under two names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from hpo.corpora.label_sets import AUTO, BIO, LABEL_SETS
from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import FORMS, draw
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.windows import UNSCORED, Windows, document_bounds, reach
from hpo.encoding.word_table import WordTable


@dataclass(frozen=True)
class EncodedSplit:
    """One split as flat arrays, mapped from disk and never copied.

    A *row* is one window as the model reads it, special subtokens included. An *encoding* is one
    distinct form of one sentence: one row, or several where it is longer than a window.

    *Shapes:* ``ids`` and ``tokens`` (subtokens,), ``window_offsets`` (rows + 1,), ``window_encodings``
    (rows,), ``labels`` (tokens,), ``sentence_offsets`` (sentences + 1,), ``forms`` (3, sentences):
    the encoding of each sentence in each form of `FORMS`, ``sentences`` (encodings,): the sentence
    of each encoding, ``drawn`` (sentences,): whether a mix takes the lowered form.
    ``tokens`` counts tokens over the split, `UNSCORED` where a subtoken belongs to none.
    """

    ids: IntArray
    tokens: IntArray
    window_offsets: IntArray
    window_encodings: IntArray
    labels: IntArray
    sentence_offsets: IntArray
    forms: IntArray
    sentences: IntArray
    drawn: npt.NDArray[np.bool_]

    def first_subtokens(self, of: IntArray | slice = slice(None)) -> npt.NDArray[np.bool_]:
        """Which of some whole rows' subtokens are the first of a token; *shape:* that of ``tokens[of]``."""
        tokens = self.tokens[of]
        first = tokens != UNSCORED
        first[1:] &= tokens[1:] != tokens[:-1]
        return np.asarray(first)

    def variant_encodings(self, variant_forms: IntArray, variant_sentences: IntArray) -> IntArray:
        """The encodings that make up a case variant, in its order; *shape:* (sentences of the variant,)."""
        return np.asarray(self.forms[variant_forms, variant_sentences])


def encode(
    sentences: Sequence[Sentence],
    label_ids: Mapping[str, int],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    seed: int,
    context: int = 0,
) -> EncodedSplit:
    """Encode all forms of all sentences.

    Sentences of more than ``max_length`` subtokens are cut between tokens into overlapping windows;
    every token is trained and scored in exactly one of them.

    With ``context`` a sentence is read with up to so many subtokens of its document's text on either side,
    in the form that it has itself: whole tokens, in equal shares of what ``max_length`` leaves free
    (FLERT; Schweter and Akbik 2020, arXiv:2011.06993). A sentence of several windows has none.
    """
    lexicon = WordTable.of(sentences, tokenizer)
    return _encode(sentences, label_ids, lexicon, max_length=max_length, seed=seed, context=context)


def _encode(
    sentences: Sequence[Sentence],
    label_ids: Mapping[str, int],
    lexicon: WordTable,
    *,
    max_length: int,
    seed: int,
    context: int,
) -> EncodedSplit:
    offsets = _token_offsets(sentences)
    every_label = chain.from_iterable(sentence.labels for sentence in sentences)
    labels = np.fromiter(map(label_ids.__getitem__, every_label), np.int16, int(offsets[-1]))
    of_form = {
        "cased": lexicon.cased,
        "uncased": lexicon.lowered,
        "ne-lower": np.where(labels > 0, lexicon.lowered, lexicon.cased),
    }
    words, pieces = np.stack([of_form[form] for form in FORMS]), lexicon.pieces
    # A row's last word has no joint behind it, so that one more fits.
    window = max_length - len(pieces.prefix) - len(pieces.suffix) + len(pieces.joint)
    pieces = pieces.shortened(window - len(pieces.joint))
    read = reach(words, pieces, offsets, document_bounds(sentences, offsets), context, window)
    forms, chosen, sentence_of = _distinct(words, *read)

    starts, stops = (ends[chosen, sentence_of] for ends in read)
    tokens = concatenate_ranges(starts, stops - starts)
    scored = tokens
    if context:
        first, last = (np.repeat(offsets[sentence_of + end], stops - starts) for end in (0, 1))
        scored = np.where((tokens >= first) & (tokens < last), tokens, UNSCORED)
    rows = Windows.cut(
        words[np.repeat(chosen, stops - starts), tokens],
        scored,
        offsets_from_lengths(stops - starts),
        pieces,
        window,
    )
    return EncodedSplit(
        ids=rows.ids,
        tokens=rows.tokens,
        window_offsets=rows.offsets,
        window_encodings=rows.encodings,
        labels=labels,
        sentence_offsets=offsets,
        forms=forms,
        sentences=sentence_of,
        drawn=draw(sentences, seed),
    )


def _token_offsets(sentences: Sequence[Sentence]) -> IntArray:
    return offsets_from_lengths(
        np.fromiter((len(each.tokens) for each in sentences), np.int64, len(sentences))
    )


def _distinct(words: IntArray, starts: IntArray, stops: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Give one encoding to each (form, sentence), an old one where a form before it comes out alike.

    Returns the encoding of each form of each sentence, and the form and the sentence of each encoding.
    """
    sentences = starts.shape[1]
    forms = np.empty((len(words), sentences), np.int32)
    encoded: list[IntArray] = []
    made = 0
    for form in range(len(words)):
        fresh = np.ones(sentences, bool)
        for before in range(form):
            unlike = offsets_from_lengths(words[form] != words[before])
            differs = unlike[stops[form]] > unlike[starts[form]]
            differs |= (starts[form] != starts[before]) | (stops[form] != stops[before])
            same = fresh & ~differs
            forms[form, same] = forms[before, same]
            fresh &= differs
        new = np.flatnonzero(fresh)
        forms[form, new] = np.arange(made, made + len(new))
        made += len(new)
        encoded.append(new)
    chosen = np.repeat(np.arange(len(words)), [len(new) for new in encoded])
    return forms, chosen, np.concatenate(encoded).astype(np.int32)


def long_sentence_note(split: EncodedSplit, name: str) -> str | None:
    """What cutting long sentences off would lose of a split, in words; None where it is nothing."""
    of_row = np.diff(split.window_offsets)
    later = np.zeros(len(of_row), bool)
    later[1:] = np.diff(split.window_encodings) == 0
    later &= np.isin(split.window_encodings, split.forms[FORMS.index("cased")])
    beyond = split.tokens[split.first_subtokens() & np.repeat(later, of_row)]
    if not len(beyond):
        return None
    longer = len(np.unique(np.searchsorted(split.sentence_offsets, beyond, side="right")))
    lost, labelled = int((split.labels[beyond] > 0).sum()), int((split.labels > 0).sum())
    return (
        f"{name}: {longer} of {len(split.sentence_offsets) - 1} sentences are longer than a window and are "
        f"read in several; cut off there, {len(beyond) / len(split.labels):.2%} of the tokens and "
        f"{lost / max(1, labelled):.2%} of those in entities would have lost their label"
    )


def store(split: EncodedSplit, folder: Path, name: str) -> None:
    """Write a split as two Arrow files, ``name.rows.arrow`` and ``name.sentences.arrow``."""
    window_offsets = pa.array(split.window_offsets, pa.int64())
    rows: dict[str, pa.Array] = {
        "ids": pa.LargeListArray.from_arrays(window_offsets, pa.array(split.ids, pa.int32())),
        "tokens": pa.LargeListArray.from_arrays(window_offsets, pa.array(split.tokens, pa.int32())),
        "encoding": pa.array(split.window_encodings, pa.int32()),
    }
    sentences: dict[str, pa.Array] = {
        "labels": pa.LargeListArray.from_arrays(
            pa.array(split.sentence_offsets, pa.int64()), pa.array(split.labels, pa.int16())
        ),
        "drawn": pa.array(split.drawn.astype(np.int8)),
        **{form: pa.array(split.forms[index], pa.int32()) for index, form in enumerate(FORMS)},
    }
    for part, columns in (("rows", rows), ("sentences", sentences)):
        batch = pa.record_batch(columns)
        with (
            pa.OSFile(str(folder / f"{name}.{part}.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, batch.schema) as out,
        ):
            out.write_batch(batch)


def load(folder: Path, name: str) -> EncodedSplit:
    """Map a split that `store` has written; its large arrays stay on disk until they are read."""
    rows = _batch(folder / f"{name}.rows.arrow")
    sentences = _batch(folder / f"{name}.sentences.arrow")
    forms = np.stack([_numbers(sentences.column(form)) for form in FORMS])
    window_encodings = _numbers(rows.column("encoding"))
    sentence_of = np.empty(int(window_encodings[-1]) + 1, np.int32)
    sentence_of[forms] = np.arange(forms.shape[1], dtype=np.int32)
    return EncodedSplit(
        ids=_numbers(rows.column("ids").values),
        tokens=_numbers(rows.column("tokens").values),
        window_offsets=_numbers(rows.column("ids").offsets),
        window_encodings=window_encodings,
        labels=_numbers(sentences.column("labels").values),
        sentence_offsets=_numbers(sentences.column("labels").offsets),
        forms=forms,
        sentences=sentence_of,
        drawn=_numbers(sentences.column("drawn")).astype(bool),
    )


def _batch(path: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)


def _numbers(array: pa.Array) -> IntArray:
    numbers: IntArray = array.to_numpy(zero_copy_only=True)
    return numbers


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded splits of a corpus under one tag family and tokenizer, in a folder of their own.

    Its labels are IOB2, ``label_names``; ``native_label_set`` is the label set that is nearest to the
    scheme, a name in `hpo.corpora.label_sets.LABEL_SETS`.
    """

    folder: Path
    label_names: tuple[str, ...]
    pad_id: int
    vocabulary: int
    splits: tuple[str, ...]
    native_label_set: str = BIO

    @classmethod
    def open(cls, folder: Path) -> EncodedCorpus:
        """Open a folder that `write_corpus` has written."""
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
        """The label set, by name, that a training configuration's ``label_scheme`` is for this corpus, and
        its labels."""
        name = self.native_label_set if label_scheme == AUTO else label_scheme
        return name, LABEL_SETS[name].names(self.types)

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types, in the family's order."""
        return tuple(name.removeprefix("B-") for name in self.label_names[1::2])

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer's files."""
        return self.folder / "tokenizer"

    @property
    def has_fast_tokenizer(self) -> bool:
        """Whether the tokenizer is one that tells which word a subtoken is of."""
        return (self.tokenizer / "tokenizer.json").exists()

    def split(self, name: str) -> EncodedSplit:
        """One split, mapped from disk."""
        return load(self.folder, name)


def write_corpus(
    folder: Path,
    splits: Mapping[str, Sequence[Sentence]],
    label_names: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    seed: int,
    context: int = 0,
    native_label_set: str = BIO,
) -> EncodedCorpus:
    """Encode every split of a corpus into an existing, empty folder, the tokenizer's files beside it."""
    label_ids = {name: number for number, name in enumerate(label_names)}
    lexicon = WordTable.of(list(chain.from_iterable(splits.values())), tokenizer)
    start = 0
    for name, sentences in splits.items():
        stop = start + sum(len(sentence.tokens) for sentence in sentences)
        part = lexicon.part(start, stop)
        split = _encode(sentences, label_ids, part, max_length=max_length, seed=seed, context=context)
        store(split, folder, name)
        start = stop
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    facts = {
        "label_names": list(label_names),
        "pad_id": pad,
        "vocabulary": len(tokenizer),
        "splits": list(splits),
        "max_length": max_length,
        "context": context,
        "own_labels": native_label_set,
    }
    (folder / "encoding.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return EncodedCorpus.open(folder)
