"""How much a model reads at once: a sentence's context, and the windows of a sentence that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.tokenizers import Subwords

UNSCORED = -1
"""In `EncodedSplit.tokens`: a special subtoken, one between words, or one that is read here and not scored:
of a neighbouring sentence, or of a token that another window is responsible for."""
OVERLAP = 4
"""A continued window repeats up to a fourth of the one before it as context."""


def document_bounds(sentences: Sequence[Sentence], offsets: IntArray) -> tuple[IntArray, IntArray]:
    """The first token of each sentence's document, and the one after its last; *shape:* (sentences,) each."""
    begins = np.fromiter(
        (
            number == 0 or sentence.document != sentences[number - 1].document
            for number, sentence in enumerate(sentences)
        ),
        bool,
        len(sentences),
    )
    of_document = np.cumsum(begins) - 1
    edges = np.concatenate([offsets[:-1][begins], offsets[-1:]])
    return edges[of_document], edges[of_document + 1]


def reach(
    words: IntArray,
    pieces: Subwords,
    offsets: IntArray,
    documents: tuple[IntArray, IntArray],
    context: int,
    window: int,
) -> tuple[IntArray, IntArray]:
    """From which to which token each form of each sentence is read; *shape:* (3, sentences) each."""
    starts, stops = (np.tile(ends, (len(words), 1)) for ends in (offsets[:-1], offsets[1:]))
    for form, of_form in enumerate(words if context else ()):
        ends = offsets_from_lengths(np.diff(pieces.offsets)[of_form] + len(pieces.joint))
        free = np.clip((window - np.diff(ends[offsets])) // 2, 0, context)
        before = np.searchsorted(ends, ends[offsets[:-1]] - free, side="left")
        behind = np.searchsorted(ends, ends[offsets[1:]] + free, side="right") - 1
        starts[form], stops[form] = np.maximum(before, documents[0]), np.minimum(behind, documents[1])
    return starts, stops


@dataclass(frozen=True)
class Windows:
    """Windows as `EncodedSplit` stores them."""

    ids: IntArray
    tokens: IntArray
    offsets: IntArray
    encodings: IntArray

    @classmethod
    def cut(
        cls, words: IntArray, tokens: IntArray, offsets: IntArray, pieces: Subwords, window: int
    ) -> Windows:
        """Cut encodings, given as runs of words, into rows of at most ``window`` subtokens and the frame.

        The window counts the joint behind a row's last word, which is left out.
        """
        joint = len(pieces.joint)
        ends = offsets_from_lengths(np.diff(pieces.offsets)[words] + joint)
        starts, stops = offsets[:-1], offsets[1:]
        fits = ends[stops] - ends[starts] <= window
        whole = np.stack([np.arange(len(fits)), starts, stops, starts, stops])[:, fits]
        parts = [
            (encoding, *span)
            for encoding in np.flatnonzero(~fits)
            for span in _overlapping(ends, int(starts[encoding]), int(stops[encoding]), window)
        ]
        spans = np.concatenate([whole, np.asarray(parts, np.int64).reshape(-1, 5).T], axis=1)
        encodings, starts, stops, owned_from, owned_to = spans[:, np.argsort(spans[0], kind="stable")]

        counts = stops - starts
        places = concatenate_ranges(starts, counts)
        owned = (places >= np.repeat(owned_from, counts)) & (places < np.repeat(owned_to, counts))
        # A row's frame and its joints are read as further words, which are no tokens.
        edges, framed = offsets_from_lengths(counts), pieces.framed()
        prefix, suffix, between = range(len(pieces.offsets) - 1, len(framed.offsets) - 1)
        at, added = np.repeat(edges, 2)[1:-1], np.tile([prefix, suffix], len(counts))
        if joint:
            inner = np.delete(np.arange(1, len(places) + 1), edges[1:] - 1)
            at, added = np.append(at, inner), np.append(added, np.full(len(inner), between))
        read = np.insert(words[places], at, added)
        sizes = np.diff(framed.offsets)[read]
        owners = np.insert(np.where(owned, tokens[places], UNSCORED).astype(np.int32), at, UNSCORED)
        rows = ends[stops] - ends[starts] - joint + len(pieces.prefix) + len(pieces.suffix)
        of_word = np.repeat(np.arange(len(read)), sizes)
        place = (framed.offsets[read] - offsets_from_lengths(sizes)[:-1])[of_word]
        place += np.arange(len(place))
        return cls(framed.ids[place], owners[of_word], offsets_from_lengths(rows), encodings.astype(np.int32))


def _overlapping(ends: IntArray, first: int, last: int, window: int) -> list[tuple[int, int, int, int]]:
    """Windows over tokens ``first`` to ``last``: (start, stop, owned from, owned to) of each."""
    spans = []
    start = owned = first
    while owned < last:
        stop = int(np.searchsorted(ends, ends[start] + window, side="right")) - 1
        stop = min(max(stop, owned + 1), last)
        spans.append((start, stop, owned, stop))
        owned = stop
        start = int(np.searchsorted(ends, ends[stop] - window // OVERLAP, side="left"))
        # The next token must fit behind its context, however many subtokens it has.
        while stop < last and ends[stop + 1] - ends[start] > window:
            start += 1
    return spans
