"""Tests of the confirmation of micro F1 by seqeval."""

from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.corpora.spans import count, score
from hpo.errors import StudyFailed
from hpo.evaluation.seqeval_check import (
    ScoredLabels,
    SeqevalCheck,
    confirm_with_seqeval,
    read_seqeval_check,
    seqeval_f1,
)
from hpo.storage.atomic import write_json

TYPES = ("PER", "WORK-OF-ART", "-", "_")
"""Hyphens would split a label in the wrong place, and seqeval reads an empty type as "_"."""
NUMBER = st.integers(0, 2 * len(TYPES))
SENTENCE = st.lists(st.tuples(NUMBER, NUMBER), max_size=8)


def our_f1(gold, predicted, types=TYPES):
    offsets = np.cumsum([0, *map(len, gold)])
    joined = [np.array([label for one in side for label in one], np.int64) for side in (gold, predicted)]
    return score(count(*joined, offsets, len(types)).by_type(), types).f1


def scored_labels(sentences, types=TYPES):
    gold = [np.array([label for label, _ in one], np.int64) for one in sentences]
    predicted = [np.array([label for _, label in one], np.int64) for one in sentences]
    return ScoredLabels(gold, predicted, types, our_f1(gold, predicted, types))


@given(st.lists(SENTENCE, max_size=6))
def test_seqeval_f1_of_random_labels_equals_our_f1(sentences):
    labels = scored_labels(sentences)
    assert seqeval_f1(labels) == pytest.approx(labels.f1, abs=1e-12)


def test_confirm_with_seqeval_reports_the_installed_version():
    labels = scored_labels([[(1, 1), (2, 2), (0, 3)], [(3, 3)]])
    check = confirm_with_seqeval({"dev": labels, "test": labels}, "uncased", "study s")
    assert str(check) == f"Micro F1 on dev and test (uncased) confirmed with seqeval {version('seqeval')}."
    assert check.f1 == {"dev": 0.8, "test": 0.8}


def test_confirm_with_seqeval_with_another_f1_raises_with_both_numbers():
    right = scored_labels([[(1, 1), (2, 2), (0, 3)], [(3, 3)]])
    wrong = ScoredLabels(right.gold, right.predicted, right.types, 0.8 + 2e-9)
    with pytest.raises(StudyFailed, match=r"^study s: test, cased: .*must be 0\.8,.*\(got 0\.800000002"):
        confirm_with_seqeval({"dev": right, "test": wrong}, "cased", "study s")
    rounded = ScoredLabels(right.gold, right.predicted, right.types, 0.8 + 1e-12)
    confirm_with_seqeval({"test": rounded}, "cased", "study s")


def test_read_seqeval_check_returns_what_was_written_and_none_without_a_file(tmp_path):
    path = tmp_path / "seqeval.json"
    assert read_seqeval_check(path) is None
    check = SeqevalCheck(version="1.2.2", variant="cased", f1={"dev": 0.5})
    write_json(path, check.model_dump(mode="json"))
    assert read_seqeval_check(path) == check
