"""Profiles count corpora, and are formatted as text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from hpo.corpora.profile import format_profile, profile, profile_data
from hpo.corpora.sentences import Corpus, Sentence

LUND = Sentence(("Lund", "och", "Åsa"), ("B-LOC", "O", "B-PER"))
NORRA = Sentence(("Norra", "Lund"), ("B-LOC", "I-LOC"), "", ("B-LOC", "B-LOC"))
CORPUS = Corpus("ort", {"train": (LUND, NORRA, LUND), "test": (LUND, LUND)}, "ab" * 32, ("a note",))


def test_profile_split_counts_sentences_tokens_and_entities() -> None:
    train = profile(CORPUS, {"train": 3}).splits["train"]
    assert (train.sentences, train.tokens, train.entities) == (3, 8, 5)
    assert list(train.types.items()) == [("LOC", 3), ("PER", 2)]
    assert (train.duplicates, train.longest, train.repaired, train.auto_entities) == (1, 3, 3, 2)
    assert profile(CORPUS).splits["test"].auto_entities is None


def test_profile_shared_counts_sentences_of_second_split() -> None:
    assert profile(CORPUS).shared == {"train/test": 2}


def test_profile_to_json_is_serializable() -> None:
    parsed = json.loads(json.dumps(profile(CORPUS).to_json()))
    assert parsed["splits"]["train"]["types"] == {"LOC": 3, "PER": 2}
    assert parsed["notes"] == ["a note"]


def test_format_profile_aligns_columns() -> None:
    text = format_profile(profile(CORPUS))
    assert text[0] == "ort  sha256 abababababab"
    assert len({len(line) for line in text[2:5]}) == 1
    assert text[6:10] == [
        "type         train  test",
        "LOC              3     2",
        "PER              2     2",
        "(automatic)      2     0",
    ]
    assert text[10:] == ["2 sentences are in both train/test", "note: a note"]


def test_profile_data_reports_issues_and_keeps_source_splits(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("i\tO\nLund\tI-LOC\nvann\tO\nLund\tB-LOC\n", encoding="utf-8")
    good = profile_data(str(path))
    assert list(good.splits) == ["train"]
    assert (good.splits["train"].repaired, good.issues) == (1, ())
    path.write_text("i\tO\nLund\tX-LOC\nLund\tB-LOC\n", encoding="utf-8")
    bad = profile_data(str(path))
    assert bad.to_json()["issues"] == [str(issue) for issue in bad.issues]
    assert [issue.location for issue in bad.issues] == [f"{path}:2"]
    assert format_profile(bad)[1].startswith("issue: ")
