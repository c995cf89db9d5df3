"""Public corpora are read with exactly the counts measured on their files."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.loading import load
from hpo.corpora.profile import Profile, profile, profile_data

DATA = Path(
    os.environ.get("HPO_SHARED_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data"
)
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no corpora in {DATA}; HPO_SHARED_DATA can name their folder"
)

COUNTS = {
    "ajmc/en": {"train": (1154, 30932, 1824), "dev": (252, 6506, 416), "test": (238, 6052, 348)},
    "ajmc/de": {"train": (1024, 22695, 1739), "dev": (192, 4702, 403), "test": (224, 4845, 382)},
    "ajmc/fr": {"train": (894, 24669, 1621), "dev": (202, 5425, 391), "test": (189, 5390, 360)},
    "swedish_ner_corpus": {"train": (6885, 113125, 4200), "test": (2453, 42208, 1403)},
    "finer": {"train": (13497, 180178, 17646), "dev": (986, 13564, 1223), "test": (3512, 46363, 4124)},
    "uner_swedish_talbanken": {
        "train": (4303, 66646, 967),
        "dev": (504, 9797, 23),
        "test": (1219, 20377, 196),
    },
    "uner_english_ewt": {"dev": (2001, 25149, 966), "test": (2077, 25097, 1088)},
    "wikineural_en": {"dev": (11590, 267839, 19621), "test": (11597, 267155, 19675)},
    "sucx3_removed": {"train": (2900, 62782, 6375)},
    "sucx3_original_jsonl": {
        "train": (1856, 39832, 3997),
        "dev": (464, 10074, 1078),
        "test": (580, 12876, 1300),
    },
}
"""Sentences, tokens and entities of each split."""


@cache
def survey_of(name: str) -> Profile:
    return profile_data(str(DATA / name))


def counts_of(found: Profile) -> dict[str, tuple[int, int, int]]:
    return {name: (split.sentences, split.tokens, split.entities) for name, split in found.splits.items()}


@pytest.mark.parametrize("name", COUNTS)
def test_profile_of_each_corpus_equals_measured_counts(name: str) -> None:
    assert survey_of(name).issues == ()
    assert counts_of(survey_of(name)) == COUNTS[name]


def test_counts_cover_every_folder() -> None:
    assert {path.name for path in DATA.iterdir() if path.is_dir()} == {name.split("/")[0] for name in COUNTS}


def test_load_masked_split_has_test_tokens_without_labels() -> None:
    file = "HIPE-2022-v2.1-ajmc-test-allmasked-en.tsv"
    test = load(str(DATA / "ajmc" / "en")).splits["test"]
    given = load(str(DATA / "ajmc" / "en"), options=CorpusOptions(splits={"test-allmasked": file}))
    assert counts_of(profile(given)) == {"test-allmasked": (238, 6052, 0)}
    assert [s.tokens for s in given.splits["test-allmasked"]] == [s.tokens for s in test]


def test_load_finer_ignores_wikipedia_test_file() -> None:
    assert counts_of(survey_of("finer/wikipedia.test.csv")) == {"test": (3360, 49752, 5831)}
    assert any("test is digitoday.2015.test.csv" in note for note in survey_of("finer").notes)


def test_profile_sucx_counts_automatic_layer() -> None:
    assert survey_of("sucx3_removed").splits["train"].auto_entities == 6761
    splits = survey_of("sucx3_original_jsonl").splits
    assert sum(split.auto_entities or 0 for split in splits.values()) == 6761


def test_profile_reports_repairs_and_row_without_label() -> None:
    assert survey_of("wikineural_en").splits["dev"].repaired == 439
    assert any(
        "train_corpus.txt:90310: 'bn' has no label" in n for n in survey_of("swedish_ner_corpus").notes
    )


def test_load_both_copies_of_sucx_have_same_sentences() -> None:
    one = load(str(DATA / "sucx3_removed"), split_dev=False).splits["train"]
    three = load(str(DATA / "sucx3_original_jsonl")).splits
    assert set(one) == {sentence for split in three.values() for sentence in split}
