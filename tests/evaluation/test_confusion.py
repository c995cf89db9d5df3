"""What was taken for what: counted by hand, and held against seqeval and the span scores."""

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


def test_entities_are_matched_by_their_tokens_and_told_by_their_types():
    """One place is taken for a person; one place has another end, so it is missed and another is found."""
    assert table_of(GOLD, FOUND).entities == (
        (2, 0, 0),
        (1, 0, 1),
        (0, 2, 0),
    )


def test_tokens_are_counted_by_label_and_by_class():
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


def test_a_sentence_counts_as_often_as_it_is_told_to():
    once, twice = table_of(GOLD, FOUND, [1, 0]), table_of(GOLD, FOUND, [0, 2])
    assert once.entities == ((1, 0, 0), (1, 0, 0), (0, 0, 0))
    assert twice.entities == ((2, 0, 0), (0, 0, 2), (0, 4, 0))
    assert sum(map(sum, twice.tokens)) == 10


def test_scores_of_token_classes_with_and_without_o():
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


def test_a_class_that_is_nowhere_has_no_part_in_a_macro_mean():
    types = (*TYPES, "ORG")
    named = {each.name: each for each in token_scores(table_of(GOLD, FOUND, types=types))}
    assert named["ORG"].support == 0
    assert named["macro, without O"].precision == (3 / 4 + 1 / 2) / 2


LABELS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
PAIRS = st.lists(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=7), min_size=1, max_size=5)


@given(PAIRS)
def test_the_tables_agree_with_the_scores_of_spans_and_with_seqeval(pairs):
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


def test_tables_are_read_as_they_were_written_and_refused_where_they_do_not_fit(tmp_path):
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
