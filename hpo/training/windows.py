"""How much a model reads at once: a sentence's context, and the windows of a sentence that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.training.tokenization import Pieces

Ints = IntArray
CONTEXT = -1
"""In `EncodedSplit.tokens`: a special subtoken, one between words, or one that is read here and not scored:
of a neighbouring sentence, or of a token that another window is responsible for."""
OVERLAP = 4
"""A continued window repeats up to a fourth of the one before it as context."""


def offsets_of(lengths: Ints | npt.NDArray[np.bool_]) -> Ints:
    """Where each run of some lengths begins in their row, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """The numbers ``start, start + 1, …`` of each range, one range after the other."""
    offsets = offsets_of(lengths)
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])


def document_bounds(sentences: Sequence[Sentence], offsets: Ints) -> tuple[Ints, Ints]:
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
    words: Ints, pieces: Pieces, offsets: Ints, documents: tuple[Ints, Ints], context: int, window: int
) -> tuple[Ints, Ints]:
    """From which to which token each form of each sentence is read; *shape:* (3, sentences) each."""
    starts, stops = (np.tile(ends, (len(words), 1)) for ends in (offsets[:-1], offsets[1:]))
    for form, of_form in enumerate(words if context else ()):
        ends = offsets_of(np.diff(pieces.offsets)[of_form] + len(pieces.joint))
        free = np.clip((window - np.diff(ends[offsets])) // 2, 0, context)
        before = np.searchsorted(ends, ends[offsets[:-1]] - free, side="left")
        behind = np.searchsorted(ends, ends[offsets[1:]] + free, side="right") - 1
        starts[form], stops[form] = np.maximum(before, documents[0]), np.minimum(behind, documents[1])
    return starts, stops


@dataclass(frozen=True)
class Windows:
    """Rows as `EncodedSplit` has them."""

    ids: Ints
    tokens: Ints
    offsets: Ints
    encodings: Ints

    @classmethod
    def cut(cls, words: Ints, tokens: Ints, offsets: Ints, pieces: Pieces, window: int) -> Windows:
        """Cut encodings, given as runs of words, into rows of at most ``window`` subtokens and the frame.

        The window counts the joint behind a row's last word, which is left out.
        """
        joint = len(pieces.joint)
        sizes = np.diff(pieces.offsets)[words]
        ends = offsets_of(sizes + joint)
        spans: list[tuple[int, int, int, int, int]] = []
        for encoding, fits in enumerate(np.diff(ends[offsets]) <= window):
            first, last = int(offsets[encoding]), int(offsets[encoding + 1])
            if fits:
                spans.append((encoding, first, last, first, last))
            else:
                spans.extend((encoding, *span) for span in _overlapping(ends, first, last, window))
        encodings, starts, stops, owned_from, owned_to = np.asarray(spans, np.int64).reshape(-1, 5).T

        counts = stops - starts
        places = ranges(starts, counts)
        owned = (places >= np.repeat(owned_from, counts)) & (places < np.repeat(owned_to, counts))
        body_ids = pieces.ids[ranges(pieces.offsets[words[places]], sizes[places])]
        body_tokens = np.repeat(np.where(owned, tokens[places], CONTEXT), sizes[places])
        if joint:
            behind = np.delete(np.cumsum(sizes[places]), offsets_of(counts)[1:] - 1)
            body_ids = np.insert(body_ids, np.repeat(behind, joint), np.tile(pieces.joint, len(behind)))
            body_tokens = np.insert(body_tokens, np.repeat(behind, joint), CONTEXT)

        body = ends[stops] - ends[starts] - joint
        row_offsets = offsets_of(body + len(pieces.prefix) + len(pieces.suffix))
        ids = np.empty(int(row_offsets[-1]), np.int32)
        row_tokens = np.full(len(ids), CONTEXT, np.int32)
        inside = ranges(row_offsets[:-1] + len(pieces.prefix), body)
        ids[inside], row_tokens[inside] = body_ids, body_tokens
        for place, special in enumerate(pieces.prefix):
            ids[row_offsets[:-1] + place] = special
        for place, special in enumerate(pieces.suffix):
            ids[row_offsets[1:] - len(pieces.suffix) + place] = special
        return cls(ids, row_tokens, row_offsets, encodings.astype(np.int32))


def _overlapping(ends: Ints, first: int, last: int, window: int) -> list[tuple[int, int, int, int]]:
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
