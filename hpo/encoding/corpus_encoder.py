"""From a corpus in a family's labels to encoded splits, made once and found again by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from transformers import PreTrainedTokenizerBase

from hpo.config.training_config import TINY
from hpo.corpora.label_sets import DEFAULT_LABEL_SETS, PLAIN, count_adjacent
from hpo.corpora.sentences import Corpus
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import TagFamily
from hpo.encoding.encoded_corpus import EncodedCorpus, long_sentence_note, write_corpus
from hpo.encoding.tokenizers import load_tokenizer, longest_window, train_wordpiece
from hpo.errors import Issue, UserError
from hpo.storage.cache import cached_folder

LAYOUT = 2
"""Raised when what `write_corpus` writes changes, so that old caches are not read."""


def encode_corpus(
    corpus: Corpus,
    family: TagFamily,
    model: str,
    *,
    max_length: int,
    seed: int,
    context: int = 0,
    exactly: bool = False,
) -> EncodedCorpus:
    """Encode every split of a corpus for a model.

    ``corpus`` carries the family's labels already; ``model`` is ``tiny``, whose vocabulary is trained on
    the train split, a hub id or a folder. ``seed`` draws the mixes; ``context`` is as `encode` takes it.
    Windows are of ``max_length`` subtokens, or of as many as the model reads where that is fewer, and they
    need not be ``exactly`` so long.

    Raises
    ------
    UserError
        if the model's tokenizer cannot be loaded, or it reads fewer subtokens than it is told to exactly.
    """
    if model == TINY:
        tokenizer = train_wordpiece(sentence.tokens for sentence in corpus.splits["train"])
    else:
        tokenizer = load_tokenizer(model)
    longest = longest_window(tokenizer, model)
    if exactly and max_length > longest:
        message = f"must be at most {longest}, the longest input of {model}"
        hint = f"set max_length={longest}; longer sentences are split into several windows"
        raise UserError(Issue("max_length", message, max_length, hint))
    window = min(max_length, longest)
    tokenizer.model_max_length = window  # saved with it, so that a checkpoint is scored as it was trained
    names = label_names(family.types)
    own = DEFAULT_LABEL_SETS[corpus.scheme]
    key = _fingerprint(corpus, (*names, own), tokenizer, window, context, seed)
    folder = cached_folder(
        key,
        lambda fresh: write_corpus(
            fresh,
            corpus.splits,
            names,
            tokenizer,
            max_length=window,
            seed=seed,
            context=context,
            native_label_set=own,
        ),
    )
    return EncodedCorpus.open(folder.resolve())


def long_sentence_notes(readings: Mapping[tuple[int, int], EncodedCorpus]) -> tuple[str, ...]:
    """What windows save of each split in which a sentence is longer than one, in words.

    ``readings`` are the ways in which trials read a corpus, by ``max_length`` and ``context``.
    """
    notes = (
        (f"max_length {max_length}, context {context}: " if len(readings) > 1 else "") + note
        for (max_length, context), data in readings.items()
        for name in data.splits
        if (note := long_sentence_note(data.split(name), name))
    )
    return tuple(notes)


def adjacent_entity_notes(data: EncodedCorpus, schemes: Iterable[str]) -> tuple[str, ...]:
    """What plain labels, where a trial may learn them, cannot tell apart of each split, in words."""
    if all(data.model_labels(scheme)[0] != PLAIN for scheme in schemes):
        return ()
    splits = {name: data.split(name) for name in data.splits}
    counted = {name: count_adjacent(split.labels, split.sentence_offsets) for name, split in splits.items()}
    return tuple(
        f"{name}: {joined} of {entities} entities stand right behind one of their own type, and are one with "
        "it in plain labels"
        for name, (joined, entities) in counted.items()
        if joined
    )


def _fingerprint(
    corpus: Corpus,
    names: tuple[str, ...],
    tokenizer: PreTrainedTokenizerBase,
    window: int,
    context: int,
    seed: int,
) -> str:
    digest = hashlib.sha256(json.dumps([LAYOUT, names, window, context, seed]).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = (
        backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    )
    digest.update(vocabulary.encode())
    for name, sentences in corpus.splits.items():
        digest.update(name.encode())
        for sentence in sentences:
            told = (sentence.identity, sentence.tokens, sentence.labels, sentence.document)
            digest.update(repr(told).encode())
    return digest.hexdigest()[:24]
