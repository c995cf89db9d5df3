"""Notes for the user on sentences that exceed a window and on entities that plain labels merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hpo.corpora.label_sets import PLAIN, count_adjacent
from hpo.corpora.variants import FORMS
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.encoded_split import EncodedSplit


def long_sentence_notes(encodings: Mapping[tuple[int, int], EncodedCorpus]) -> tuple[str, ...]:
    """Describe, for each split with sentences longer than a window, what truncation would lose.

    ``encodings`` are the encodings of one corpus by ``max_length`` and ``context``.
    """
    notes = (
        (f"max_length {max_length}, context {context}: " if len(encodings) > 1 else "") + note
        for (max_length, context), data in encodings.items()
        for name in data.splits
        if (note := long_sentence_note(data.split(name), name))
    )
    return tuple(notes)


def long_sentence_note(split: EncodedSplit, name: str) -> str | None:
    """Describe what truncating long sentences would lose in a split, or return None if nothing."""
    window_lengths = np.diff(split.window_offsets)
    continued = np.zeros(len(window_lengths), bool)
    continued[1:] = np.diff(split.window_encodings) == 0
    continued &= np.isin(split.window_encodings, split.forms[FORMS.index("cased")])
    beyond = split.tokens[split.first_subtokens() & np.repeat(continued, window_lengths)]
    if not len(beyond):
        return None
    longer = len(np.unique(np.searchsorted(split.sentence_offsets, beyond, side="right")))
    lost, labelled = int((split.labels[beyond] > 0).sum()), int((split.labels > 0).sum())
    return (
        f"{name}: {longer} of {len(split.sentence_offsets) - 1} sentences are longer than a window and are "
        f"split into several; truncation would lose the labels of {len(beyond) / len(split.labels):.2%} of "
        f"all tokens and {lost / max(1, labelled):.2%} of the tokens in entities"
    )


def adjacent_entity_notes(data: EncodedCorpus, schemes: Iterable[str]) -> tuple[str, ...]:
    """Describe, for each split, which entities plain labels merge if one of the ``schemes`` uses them."""
    if all(data.model_labels(scheme)[0] != PLAIN for scheme in schemes):
        return ()
    splits = {name: data.split(name) for name in data.splits}
    counts = {name: count_adjacent(split.labels, split.sentence_offsets) for name, split in splits.items()}
    return tuple(
        f"{name}: {adjacent} of {entities} entities directly follow one of the same type; plain labels merge "
        "them"
        for name, (adjacent, entities) in counts.items()
        if adjacent
    )
