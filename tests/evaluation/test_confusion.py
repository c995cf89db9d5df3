"""Tests of confusion tables against hand counts, seqeval and the span scores."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score

from hpo.corpora.spans import count, encode, score
from hpo.errors import UserError
from hpo.evaluation.confusion import build_confusion, read_confusions, token_scores

TYPES = ("PER", "LOC")
GOLD = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC", "I-LOC", "O", "B-PER"]]
FOUND = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-LOC", "O", "B-LOC", "B-PER"]]


def table_of(gold, found, times=None, types=TYPES):
    labels, offsets = encode(gold, types)
    guessed, _ = encode(found, types)
    times = np.ones(len(gold), np.int64) if times is None else np.asarray(times)
    return build_confusion(labels, guessed, offsets, times, types, "cased")


def test_build_confusion_matches_entities_by_their_tokens():
    """One place is predicted as a person; one with a wrong end counts as one missed and one spurious."""
    assert table_of(GOLD, FOUND).entities == (
        (2, 0, 0),
        (1, 0, 1),
        (0, 2, 0),
    )


def test_build_confusion_counts_tokens_by_label_and_by_class():
    table = table_of(GOLD, FOUND)
    assert table.labels == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    assert table.tokens == (
        (2, 0, 0, 1, 0),
        (0, 2, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 1, 0, 1, 0),
        (1, 0, 0, 0, 0),
    )
    assert table.by_class.tolist() == [[2, 0, 1], [0, 3, 0], [1, 1, 1]]


def test_build_confusion_with_times_counts_sentences_repeatedly():
    once, twice = table_of(GOLD, FOUND, [1, 0]), table_of(GOLD, FOUND, [0, 2])
    assert once.entities == ((1, 0, 0), (1, 0, 0), (0, 0, 0))
    assert twice.entities == ((2, 0, 0), (0, 0, 2), (0, 4, 0))
    assert sum(map(sum, twice.tokens)) == 10


def test_token_scores_gives_means_with_and_without_o():
    scores = {each.name: each for each in token_scores(table_of(GOLD, FOUND))}
    assert list(scores) == [
        "PER", "LOC", "O", "micro, without O", "macro, without O", "micro, with O", "macro, with O",
    ]  # fmt: skip
    assert (scores["PER"].precision, scores["PER"].recall) == (3 / 4, 1)
    assert (scores["LOC"].precision, scores["LOC"].recall, scores["LOC"].f1) == (1 / 2, 1 / 3, 0.4)
    assert scores["micro, without O"].precision == scores["micro, without O"].recall == 4 / 6
    assert scores["macro, without O"].precision == (3 / 4 + 1 / 2) / 2
    assert scores["micro, with O"].f1 == 6 / 9
    assert scores["macro, with O"].recall == pytest.approx((1 + 1 / 3 + 2 / 3) / 3)
    assert scores["micro, with O"].support == 9


def test_token_scores_leaves_absent_classes_out_of_macro_means():
    types = (*TYPES, "ORG")
    named = {each.name: each for each in token_scores(table_of(GOLD, FOUND, types=types))}
    assert named["ORG"].support == 0
    assert named["macro, without O"].precision == (3 / 4 + 1 / 2) / 2


LABELS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
PAIRS = st.lists(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=7), min_size=1, max_size=5)


@given(PAIRS)
def test_build_confusion_agrees_with_span_scores_and_seqeval(pairs):
    gold = [[label for label, _ in sentence] for sentence in pairs]
    found = [[label for _, label in sentence] for sentence in pairs]
    table = table_of(gold, found)
    labels, offsets = encode(gold, TYPES)
    guessed, _ = encode(found, TYPES)
    scores = score(count(labels, guessed, offsets, len(TYPES)).by_type(), TYPES)
    entities = np.asarray(table.entities)
    assert np.trace(entities[:-1, :-1]) == scores.correct
    assert entities[:-1].sum() == scores.gold
    assert entities[:, :-1].sum() == scores.predicted
    assert entities[-1, -1] == 0
    assert table.accuracy == pytest.approx(accuracy_score(gold, found))


def test_read_confusions_returns_what_was_written_and_refuses_wrong_sizes(tmp_path):
    path = tmp_path / "confusion.json"
    assert read_confusions(path) == {}
    table = table_of(GOLD, FOUND)
    plain = {"dev": table.model_dump(mode="json")}
    path.write_text(json.dumps(plain))
    assert read_confusions(path) == {"dev": table}
    plain["dev"]["types"] = ["PER"]
    path.write_text(json.dumps(plain))
    with pytest.raises(UserError, match=r"confusion\.json.*must have 3 rows"):
        read_confusions(path)
