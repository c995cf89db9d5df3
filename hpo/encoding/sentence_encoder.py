"""Encodes sentences, in all their case forms, as windows of subtokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from transformers import PreTrainedTokenizerBase

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import FORMS, draw
from hpo.encoding.encoded_split import EncodedSplit
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.windows import UNSCORED, Windows, context_bounds, document_bounds
from hpo.encoding.word_table import WordTable


@dataclass(frozen=True)
class EncodingOptions:
    """How sentences are encoded.

    ``max_length`` is the maximum number of subtokens of a window, special tokens included. ``seed`` draws the
    mixed case variants. ``context`` is the maximum number of subtokens that a window adds on either side of a
    sentence from the same document, in the form of the sentence: whole tokens, in equal shares of what
    ``max_length`` leaves free (FLERT; Schweter and Akbik 2020, arXiv:2011.06993). A sentence that needs
    several windows gets no context from other sentences.
    """

    max_length: int
    seed: int
    context: int = 0


def encode_sentences(
    sentences: Sequence[Sentence],
    label_ids: Mapping[str, int],
    tokenizer: PreTrainedTokenizerBase,
    options: EncodingOptions,
) -> EncodedSplit:
    """Encode all forms of all sentences.

    Sentences of more than ``max_length`` subtokens are cut between tokens into overlapping windows; every
    token is trained and scored in exactly one of them.
    """
    return encode_tokenized(sentences, label_ids, WordTable.of(sentences, tokenizer), options)


def encode_tokenized(
    sentences: Sequence[Sentence], label_ids: Mapping[str, int], table: WordTable, options: EncodingOptions
) -> EncodedSplit:
    """Encode all forms of all sentences, whose words are tokenized already."""
    lengths = np.fromiter((len(each.tokens) for each in sentences), np.int64, len(sentences))
    offsets = offsets_from_lengths(lengths)
    all_labels = chain.from_iterable(sentence.labels for sentence in sentences)
    labels = np.fromiter(map(label_ids.__getitem__, all_labels), np.int16, int(offsets[-1]))
    form_words = {
        "cased": table.cased,
        "uncased": table.lowered,
        "ne-lower": np.where(labels > 0, table.lowered, table.cased),
    }
    words, subwords = np.stack([form_words[form] for form in FORMS]), table.subwords
    # No separator follows the last word of a window, so the capacity grows by one separator.
    capacity = options.max_length - len(subwords.prefix) - len(subwords.suffix) + len(subwords.separator)
    subwords = subwords.truncated(capacity - len(subwords.separator))
    bounds = context_bounds(
        words, subwords, offsets, document_bounds(sentences, offsets), options.context, capacity
    )
    forms, encoding_forms, encoding_sentences = _distinct(words, *bounds)

    starts, stops = (ends[encoding_forms, encoding_sentences] for ends in bounds)
    tokens = concatenate_ranges(starts, stops - starts)
    scored = tokens
    if options.context:
        first, last = (np.repeat(offsets[encoding_sentences + end], stops - starts) for end in (0, 1))
        scored = np.where((tokens >= first) & (tokens < last), tokens, UNSCORED)
    windows = Windows.cut(
        words[np.repeat(encoding_forms, stops - starts), tokens],
        scored,
        offsets_from_lengths(stops - starts),
        subwords,
        capacity,
    )
    return EncodedSplit(
        ids=windows.ids,
        tokens=windows.tokens,
        window_offsets=windows.offsets,
        window_encodings=windows.encodings,
        labels=labels,
        sentence_offsets=offsets,
        forms=forms,
        encoding_sentences=encoding_sentences,
        drawn=draw(sentences, options.seed),
    )


def _distinct(words: IntArray, starts: IntArray, stops: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Number the distinct encodings: a form that equals an earlier form of its sentence shares its encoding.

    Returns the encoding of each form of each sentence, and the form and the sentence of each encoding.

    *Shape:* ``words`` (forms, tokens), ``starts`` and ``stops`` (forms, sentences): the tokens that are read.
    The results are (forms, sentences), (encodings,) and (encodings,).

    Two sentences of one token each; the second form differs from the first in the second sentence only:

    >>> starts, stops = np.array([[0, 1], [0, 1]]), np.array([[1, 2], [1, 2]])
    >>> [each.tolist() for each in _distinct(np.array([[5, 6], [5, 7]]), starts, stops)]
    [[[0, 1], [0, 2]], [0, 0, 1], [0, 1, 1]]
    """
    sentences = starts.shape[1]
    forms = np.empty((len(words), sentences), np.int32)
    new_sentences: list[IntArray] = []
    count = 0
    for form in range(len(words)):
        is_new = np.ones(sentences, bool)
        for earlier in range(form):
            differences = offsets_from_lengths(words[form] != words[earlier])
            differs = differences[stops[form]] > differences[starts[form]]
            differs |= (starts[form] != starts[earlier]) | (stops[form] != stops[earlier])
            same = is_new & ~differs
            forms[form, same] = forms[earlier, same]
            is_new &= differs
        new = np.flatnonzero(is_new)
        forms[form, new] = np.arange(count, count + len(new))
        count += len(new)
        new_sentences.append(new)
    encoding_forms = np.repeat(np.arange(len(words)), [len(new) for new in new_sentences])
    return forms, encoding_forms, np.concatenate(new_sentences).astype(np.int32)
