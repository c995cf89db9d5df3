"""Windows: cuts word sequences into model inputs of limited length and adds context from the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.subwords import Subwords

UNSCORED = -1
"""Marks subtokens in `EncodedSplit.tokens` that are never scored: special tokens, separators, and context
(subtokens of a neighbouring sentence, or of a token that another window scores)."""
OVERLAP_DIVISOR = 4
"""A continued window repeats up to a fourth of the previous one as context."""


def document_bounds(sentences: Sequence[Sentence], offsets: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first token of each sentence's document and the end of its last; *shape:* (sentences,) each.

    >>> sentences = [Sentence(("a",) * 2, ("O",) * 2, document=name) for name in "xxy"]
    >>> [each.tolist() for each in document_bounds(sentences, np.array([0, 2, 4, 6]))]
    [[0, 0, 4], [4, 4, 6]]
    """
    starts_document = np.fromiter(
        (
            number == 0 or sentence.document != sentences[number - 1].document
            for number, sentence in enumerate(sentences)
        ),
        bool,
        len(sentences),
    )
    document = np.cumsum(starts_document) - 1
    edges = np.concatenate([offsets[:-1][starts_document], offsets[-1:]])
    return edges[document], edges[document + 1]


def context_bounds(
    words: IntArray,
    subwords: Subwords,
    offsets: IntArray,
    documents: tuple[IntArray, IntArray],
    context: int,
    capacity: int,
) -> tuple[IntArray, IntArray]:
    """Return the range of tokens that the model reads for each form of each sentence, context included.

    Each side has at most ``context`` subtokens, and at most half of what the sentence leaves of ``capacity``.

    *Shape:* ``words`` (forms, tokens), the results (forms, sentences) each.

    >>> none = np.array([], np.int32)
    >>> words, offsets = np.zeros((1, 6), int), np.array([0, 2, 4, 6])  # three sentences of two tokens
    >>> subwords = Subwords(np.array([9]), np.array([0, 1]), none, none, none)  # one subtoken per token
    >>> document = (np.zeros(3, int), np.full(3, 6))
    >>> [each.tolist() for each in context_bounds(words, subwords, offsets, document, 1, 8)]
    [[[0, 1, 3]], [[3, 5, 6]]]
    """
    starts, stops = (np.tile(ends, (len(words), 1)) for ends in (offsets[:-1], offsets[1:]))
    for form, form_words in enumerate(words if context else ()):
        ends = offsets_from_lengths(np.diff(subwords.offsets)[form_words] + len(subwords.separator))
        free = np.clip((capacity - np.diff(ends[offsets])) // 2, 0, context)
        before = np.searchsorted(ends, ends[offsets[:-1]] - free, side="left")
        after = np.searchsorted(ends, ends[offsets[1:]] + free, side="right") - 1
        starts[form], stops[form] = np.maximum(before, documents[0]), np.minimum(after, documents[1])
    return starts, stops


@dataclass(frozen=True)
class Windows:
    """Model inputs as flat arrays.

    *Shape:* ``ids`` and ``tokens`` (subtokens,), ``offsets`` (windows + 1,), ``encodings`` (windows,).
    """

    ids: IntArray
    tokens: IntArray
    offsets: IntArray
    encodings: IntArray

    @classmethod
    def cut(
        cls, words: IntArray, tokens: IntArray, offsets: IntArray, subwords: Subwords, capacity: int
    ) -> Windows:
        """Cut encodings into windows of at most ``capacity`` subtokens and add the special tokens.

        Encoding ``i`` consists of ``words[offsets[i]:offsets[i + 1]]``; ``tokens`` holds the token that each
        word stands for, or `UNSCORED`. ``capacity`` excludes the special tokens and includes the separator
        after the last word, which is left out.

        One encoding of five words with one subtoken each becomes two windows of up to four subtokens, between
        the special tokens 1 and 2. The second window repeats the fourth word as context:

        >>> prefix, suffix, none = np.array([1]), np.array([2]), np.array([], int)
        >>> subwords = Subwords(np.arange(10, 15), np.arange(6), prefix, suffix, none)
        >>> windows = Windows.cut(np.arange(5), np.arange(5), np.array([0, 5]), subwords, 4)
        >>> windows.ids.tolist()
        [1, 10, 11, 12, 13, 2, 1, 13, 14, 2]
        >>> windows.tokens.tolist()
        [-1, 0, 1, 2, 3, -1, -1, -1, 4, -1]
        >>> windows.offsets.tolist(), windows.encodings.tolist()
        ([0, 6, 10], [0, 0])
        """
        separator = len(subwords.separator)
        ends = offsets_from_lengths(np.diff(subwords.offsets)[words] + separator)
        starts, stops = offsets[:-1], offsets[1:]
        fits = ends[stops] - ends[starts] <= capacity
        whole = np.stack([np.arange(len(fits)), starts, stops, starts, stops])[:, fits]
        parts = [
            (encoding, *span)
            for encoding in np.flatnonzero(~fits)
            for span in _overlapping(ends, int(starts[encoding]), int(stops[encoding]), capacity)
        ]
        spans = np.concatenate([whole, np.asarray(parts, np.int64).reshape(-1, 5).T], axis=1)
        encodings, starts, stops, scored_from, scored_to = spans[:, np.argsort(spans[0], kind="stable")]

        counts = stops - starts
        places = concatenate_ranges(starts, counts)
        scored = (places >= np.repeat(scored_from, counts)) & (places < np.repeat(scored_to, counts))
        # Special tokens and separators are inserted as additional words that belong to no token.
        edges, extended = offsets_from_lengths(counts), subwords.with_special_tokens()
        prefix, suffix, between = range(len(subwords.offsets) - 1, len(extended.offsets) - 1)
        at, added = np.repeat(edges, 2)[1:-1], np.tile([prefix, suffix], len(counts))
        if separator:
            inner = np.delete(np.arange(1, len(places) + 1), edges[1:] - 1)
            at, added = np.append(at, inner), np.append(added, np.full(len(inner), between))
        all_words = np.insert(words[places], at, added)
        all_tokens = np.insert(np.where(scored, tokens[places], UNSCORED).astype(np.int32), at, UNSCORED)
        lengths = np.diff(extended.offsets)[all_words]
        subtokens = concatenate_ranges(extended.offsets[all_words], lengths)
        window_lengths = ends[stops] - ends[starts] - separator + len(subwords.prefix) + len(subwords.suffix)
        return cls(
            extended.ids[subtokens],
            np.repeat(all_tokens, lengths),
            offsets_from_lengths(window_lengths),
            encodings.astype(np.int32),
        )


def _overlapping(ends: IntArray, first: int, last: int, capacity: int) -> list[tuple[int, int, int, int]]:
    """Return the windows over tokens ``first`` to ``last``: (start, stop, scored from, scored to) of each.

    ``ends[i]`` is the number of subtokens before token ``i``.

    >>> _overlapping(np.arange(6), 0, 5, 4)
    [(0, 4, 0, 4), (3, 5, 4, 5)]
    """
    spans = []
    start = scored = first
    while scored < last:
        stop = int(np.searchsorted(ends, ends[start] + capacity, side="right")) - 1
        stop = min(max(stop, scored + 1), last)
        spans.append((start, stop, scored, stop))
        scored = stop
        start = int(np.searchsorted(ends, ends[stop] - capacity // OVERLAP_DIVISOR, side="left"))
        # The next token must fit after its context, whatever its number of subtokens.
        while stop < last and ends[stop + 1] - ends[start] > capacity:
            start += 1
    return spans
