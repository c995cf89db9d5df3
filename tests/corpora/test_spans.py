"""Spans and scores equal seqeval's, to the last digit."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# seqeval is the reference that the module is held against, here only.
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from hpo.corpora import spans

NAMES = ("PER", "work", "A-B", "LOC")


@st.composite
def labelled(draw: st.DrawFn) -> tuple[tuple[str, ...], list[list[str]], list[list[str]]]:
    """Entity types, gold and predicted labels; valid IOB2 or not, some sentences empty."""
    types = NAMES[: draw(st.integers(1, 4))]
    label = st.sampled_from(spans.label_names(types))
    gold = draw(st.lists(st.lists(label, max_size=7), min_size=1, max_size=6))
    changed = st.tuples(st.booleans(), label)
    predicted = [
        [
            new if change else old
            for old, (change, new) in zip(sentence, draw(_exactly(changed, sentence)), strict=True)
        ]
        for sentence in gold
    ]
    return types, gold, predicted


def _exactly(strategy, sentence):
    return st.lists(strategy, min_size=len(sentence), max_size=len(sentence))


def _scores(types, gold, predicted) -> spans.Scores:
    return spans.score(_counts(types, gold, predicted).by_type(), types)


def _counts(types, gold, predicted) -> spans.SpanCounts:
    gold_labels, offsets = spans.encode(gold, types)
    predicted_labels, _ = spans.encode(predicted, types)
    return spans.count(gold_labels, predicted_labels, offsets, len(types))


def test_encode_numbers_labels_in_pairs():
    assert spans.label_names(["PER", "ORG"]) == ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
    labels, offsets = spans.encode([["I-ORG", "O"], [], ["B-PER"]], ["PER", "ORG"])
    assert labels.tolist() == [4, 0, 1]
    assert offsets.tolist() == [0, 2, 2, 3]
    with pytest.raises(KeyError, match="B-MISC"):
        spans.encode([["B-MISC"]], ["PER", "ORG"])


@given(labelled())
def test_extract_equals_seqeval(case):
    types, gold, predicted = case
    for sentences in (gold, predicted):
        labels, offsets = spans.encode(sentences, types)
        found = spans.extract(labels, offsets)
        expected = [
            (types.index(name), first + start, last + 1 + start)
            for sentence, start in zip(sentences, offsets[:-1].tolist(), strict=True)
            for name, first, last in get_entities(sentence)
        ]
        assert list(zip(found.types, found.starts, found.ends, strict=True)) == expected


@settings(max_examples=150)
@given(labelled())
def test_score_equals_seqeval(case):
    types, gold, predicted = case
    scores = _scores(types, gold, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert scores.f1 == f1_score(gold, predicted)
        assert scores.precision == precision_score(gold, predicted)
        assert scores.recall == recall_score(gold, predicted)
        if not scores.predicted + scores.gold:
            return  # seqeval's report of no spans at all is NaN
        report = classification_report(gold, predicted, output_dict=True)
    macro = report.pop("macro avg")
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == (
        macro["precision"],
        macro["recall"],
        macro["f1-score"],
    )
    assert report.pop("micro avg")["support"] == scores.gold
    report.pop("weighted avg")
    seen = {name: one for name, one in scores.by_type.items() if one.predicted or one.gold}
    assert {
        name: {
            "precision": one.precision,
            "recall": one.recall,
            "f1-score": one.f1,
            "support": one.support,
        }
        for name, one in seen.items()
    } == report


@settings(max_examples=50)
@given(labelled(), st.data())
def test_count_by_sentence_adds_up_to_count_by_type(case, data):
    types, gold, predicted = case
    counts = _counts(types, gold, predicted)
    assert counts.by_sentence().shape == (len(gold), 3)
    assert counts.by_sentence().sum(axis=0).tolist() == counts.by_type().sum(axis=0).tolist()

    times = data.draw(_exactly(st.integers(0, 3), gold))
    repeated = [place for place, often in enumerate(times) for _ in range(often)]
    again = _counts(types, [gold[place] for place in repeated], [predicted[place] for place in repeated])
    assert counts.by_type(np.array(times, dtype=np.int64)).tolist() == again.by_type().tolist()
    alone = [_counts(types, [one], [other]) for one, other in zip(gold, predicted, strict=True)]
    assert counts.by_sentence().tolist() == [one.by_sentence()[0].tolist() for one in alone]


def test_score_without_spans_is_zero_without_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = _scores(("PER",), [["O"], []], [["O"], []])
        assert _scores(("PER",), [], []) == scores
    assert (scores.f1, scores.macro_f1, scores.gold, scores.predicted) == (0.0, 0.0, 0, 0)
    assert scores.by_type["PER"] == spans.TypeScore(0.0, 0.0, 0.0, 0, 0, 0)
    assert (scores.scheme, scores.mode) == ("IOB2", "default")


def test_extract_ends_span_at_sentence_end():
    found = spans.extract(np.array([1, 2, 2, 2]), np.array([0, 2, 4]))
    assert list(zip(found.starts, found.ends, strict=True)) == [(0, 2), (2, 4)]


def test_count_invalid_labels_raise():
    fine, offsets = np.array([0, 1]), np.array([0, 2])
    with pytest.raises(ValueError, match="negative: -100"):
        spans.extract(np.array([0, -100]), offsets)
    with pytest.raises(ValueError, match="from 0 to 2"):
        spans.extract(fine, np.array([0, 1]))
    with pytest.raises(ValueError, match="differ in shape"):
        spans.count(fine, fine[:1], offsets, 1)
    with pytest.raises(ValueError, match="label 3 is not among"):
        spans.count(fine, np.array([0, 3]), offsets, 1)


def test_count_accepts_unsigned_labels():
    labels = np.array([0, 1, 2, 0], dtype=np.uint8)
    assert spans.count(labels, labels, np.array([0, 4]), 1).by_type().tolist() == [[1, 1, 1]]


def test_score_million_tokens_takes_less_than_a_second():
    random = np.random.default_rng(1)
    gold = random.integers(0, 9, 1_000_000, dtype=np.int8)
    predicted = np.where(random.random(len(gold)) < 0.1, np.int8(0), gold)
    offsets = np.append(np.arange(0, len(gold), 17), len(gold))
    start = time.perf_counter()
    spans.score(spans.count(gold, predicted, offsets, 4).by_type(), NAMES)
    assert time.perf_counter() - start < 1.0
