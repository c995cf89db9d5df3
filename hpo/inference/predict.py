"""Predict the entity spans of a text with a checkpoint, with their positions and scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from hpo.corpora.label_sets import LABEL_SETS, LabelSet, detect_label_set
from hpo.corpora.spans import extract
from hpo.errors import Issue, UserError
from hpo.evaluation.checkpoint_scores import checkpoint_labels, window_and_context
from hpo.inference.prediction import Prediction, Span
from hpo.inference.token_classifier import TokenClassifier
from hpo.inference.tokenize_text import TokenizedText

CHUNK_SENTENCES = 2048
"""Sentences that are sorted by length and classified together."""


def predict(checkpoint: Path, texts: Iterable[TokenizedText]) -> Iterator[Prediction]:
    """Predict the spans of each text; yield one prediction per text, in the order of the texts.

    Invalid IOB2 is read as in seqeval's default mode, as everywhere in this package: an ``I-`` without a
    preceding label of its type starts a span.

    Raises
    ------
    UserError
        If the folder is not a checkpoint or its labels belong to no known set; raised at the call.
    """
    label_set, types = checkpoint_types(checkpoint)
    classifier = TokenClassifier(checkpoint, *window_and_context(checkpoint))
    return _predict(classifier, LABEL_SETS[label_set], types, iter(texts))


def checkpoint_types(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return the name of a checkpoint's label set, and its entity types in the order of its labels.

    Raises
    ------
    UserError
        If its labels belong to no set in `hpo.corpora.label_sets.LABEL_SETS`.
    """
    labels = checkpoint_labels(folder)
    found = detect_label_set(labels)
    if found is None:
        rule = "labels must be O, B-x, I-x, B-y, I-y … (or those of plain or bilou)"
        raise UserError(Issue(str(folder), rule, ", ".join(labels), "give a model folder of a study"))
    return found


def _predict(
    classifier: TokenClassifier, label_set: LabelSet, types: Sequence[str], texts: Iterator[TokenizedText]
) -> Iterator[Prediction]:
    while chunk := list(islice(texts, CHUNK_SENTENCES)):
        spans = _find_spans([text for text in chunk if text.tokens], classifier, label_set, types)
        for text in chunk:
            yield Prediction(text.id, text.text, text.tokens, next(spans) if text.tokens else ())


def _find_spans(
    texts: list[TokenizedText], classifier: TokenClassifier, label_set: LabelSet, types: Sequence[str]
) -> Iterator[tuple[Span, ...]]:
    if not texts:
        return
    found = classifier.classify([text.tokens for text in texts])
    spans = extract(label_set.to_iob2(found.labels, found.offsets), found.offsets)
    rows = zip(spans.starts.tolist(), spans.ends.tolist(), spans.types.tolist(), strict=True)
    row = next(rows, None)
    for text, offset, end in zip(texts, found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True):
        found_spans = []
        while row is not None and row[0] < end:
            first, last = row[0] - offset, row[1] - offset
            begin, stop = text.spans[first][0], text.spans[last - 1][1]
            score = round(float(found.probabilities[row[0] : row[1]].mean()), 6)
            found_spans.append(Span(types[row[2]], first, last, begin, stop, text.text[begin:stop], score))
            row = next(rows, None)
        yield tuple(found_spans)
