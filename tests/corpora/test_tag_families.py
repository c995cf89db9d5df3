"""Every tag family in the repository, and how families relabel a corpus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.corpora import tag_families as families
from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HPO_SHARED_DATA", ROOT.parent / "shared" / "data"))
FILES = sorted((ROOT / "tag_families").rglob("*.yaml"))  # not those that .venv may hold


def test_repository_contains_expected_families():
    assert len(FILES) > 0
    assert {path.stem for path in FILES} >= {
        "suc-original",
        "suc-simple",
        "suc-simple-no-tme-msr",
        "multinerd-a",
        "multinerd-b",
        "ajmc",
        "conll",
        "finer",
        "uner",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestEveryFamily:
    def test_load_family_by_path_and_by_name_is_equal(self, path):
        family = families.load_family(str(path))
        assert family.name == path.stem
        assert families.load_family(path.stem) == family

    def test_types_are_unique_and_reachable(self, path):
        family = families.load_family(str(path))
        kept = family.automatic.kept.values() if family.automatic else ()
        targets = {*family.mapping.values(), *kept} - {None}
        assert len(set(family.types)) == len(family.types)
        assert targets == set(family.types)

    def test_apply_to_corpus_with_family_types_changes_nothing(self, path):
        family = families.load_family(str(path))
        sentences = tuple(
            Sentence(("a", "b", "c"), (f"B-{name}", f"I-{name}", f"B-{name}")) for name in family.types
        )
        corpus = _corpus(*sentences)
        assert families.apply(family, corpus) == corpus


def test_titles_are_unique():
    titles = [families.load_family(str(path)).title for path in FILES]
    assert len(set(titles)) == len(titles)


def test_multinerd_a_has_label_order_of_multinerd():
    assert " ".join(families.load_family("multinerd-a").types) == (
        "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI"
    )


def test_apply_types_with_same_target_keep_boundaries():
    sentence = Sentence(("a", "b", "c", "d"), ("B-person", "I-person", "B-animal", "B-other"))
    mapped = families.apply(families.load_family("suc-simple"), _corpus(sentence))
    assert mapped.splits["train"][0].labels == ("B-PRS", "I-PRS", "B-PRS", "O")
    assert mapped.notes == ("read as O by the tag family suc-simple: other",)


@pytest.mark.parametrize(
    ("manual", "automatic", "kept"),
    [
        ("O", "O", "O"),
        ("B-person", "B-PRS", "B-PRS"),
        ("B-person", "O", "B-PRS"),
        ("B-person", "I-PRS", None),
        ("B-inst", "B-LOC", None),
        ("B-person", "B-LOC/PRS", None),
        ("B-person", "B-TME", None),
        ("O", "B-TME", "B-TME"),
        ("O", "B-LOC", None),
        ("B-other", "O", None),
        ("B-other", "B-TME", None),
    ],
)
def test_apply_follows_published_rule_for_each_token(manual, automatic, kept):
    sentence = Sentence(("a", "b"), ("O", manual), id="s", auto_labels=("O", automatic))
    expected = () if kept is None else (Sentence(("a", "b"), ("O", kept), id="s"),)
    mapped = families.apply(families.load_family("suc-simple"), _corpus(sentence))
    assert mapped.splits["train"] == expected
    without = families.apply(families.load_family("suc-simple-no-tme-msr"), _corpus(sentence))
    shown = "O" if kept == "B-TME" else kept
    assert [one.labels[1] for one in without.splits["train"]] == [shown] * len(expected)


def test_apply_inside_label_without_begin_becomes_begin():
    sentence = Sentence(
        ("a", "b", "c", "d"),
        ("B-person", "O", "O", "O"),
        auto_labels=("O", "I-TME", "I-TME", "I-MSR"),
    )
    mapped = families.apply(families.load_family("suc-simple"), _corpus(sentence))
    assert mapped.splits["train"][0].labels == ("B-PRS", "B-TME", "I-TME", "B-MSR")


def test_apply_notes_dropped_sentences_by_split():
    fine = Sentence(("a",), ("B-place",), auto_labels=("B-LOC",))
    torn = Sentence(("a",), ("B-place",), auto_labels=("B-ORG",))
    corpus = Corpus("suc", {"train": (fine, torn), "dev": (torn,)}, "0", notes=("read",))
    mapped = families.apply(families.load_family("suc-simple"), corpus)
    assert [len(sentences) for sentences in mapped.splits.values()] == [1, 0]
    assert mapped.notes[0] == "read"
    assert mapped.notes[1].startswith("2 sentences dropped: ")
    assert mapped.notes[1].endswith("(train 1 of 2, dev 1 of 1)")


def test_apply_family_without_rule_removes_automatic_layer():
    sentence = Sentence(("a",), ("B-place",), auto_labels=("B-ORG",))
    mapped = families.apply(families.load_family("suc-original"), _corpus(sentence))
    assert mapped.splits["train"] == (Sentence(("a",), ("B-place",)),)


def test_apply_unlisted_types_raise_at_their_locations():
    corpus = Corpus(
        "news",
        {"train": (Sentence(("a", "b", "c"), ("B-PER", "B-MISC", "I-DATE")),)},
        "0",
        type_locations={"MISC": "news.txt:7"},
    )
    with pytest.raises(UserError) as refused:
        families.apply(families.load_family("uner"), corpus)
    issues = refused.value.issues
    assert [(issue.location, issue.value) for issue in issues] == [("news", "DATE"), ("news.txt:7", "MISC")]
    assert all("known: PER, ORG, LOC;" in issue.hint for issue in issues)


@pytest.mark.parametrize(
    ("changed", "given"),
    [
        ("types: [A, A]", r"mine.yaml:4: types: duplicate entity type: A"),
        ("types: [B]", r"mine.yaml:5: mapping: maps to unlisted types: A"),
        ("types: [A, B]", r"no raw type maps to B"),
        (
            "types: [A]\nautomatic: {kept: {t: C}}",
            r"automatic: maps to unlisted types: C",
        ),
        ("types: [A]\nmapings: {}", r"mine.yaml:5: mapings: unknown key"),
    ],
)
def test_load_family_invalid_file_raises_with_line(tmp_path, changed, given):
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\ntitle: Mine\ndescription: a test\n{changed}\nmapping: {{a: A}}\n", "utf-8")
    with pytest.raises(UserError, match=given):
        families.load_family(str(path))


def test_load_family_unknown_name_raises_with_known_names():
    with pytest.raises(UserError, match=r"got 'suc'; known: .*suc-original, suc-simple"):
        families.load_family("suc")


@pytest.mark.parametrize("name", ["suc-simple", "suc-simple-no-tme-msr"])
def test_apply_rule_drops_every_sentence_dropped_by_kblab(name):
    path = DATA / "sucx3_removed" / "removed_sents_from_original_to_simple.txt"
    if not path.is_file():
        pytest.skip(f"the seed corpora are not at {DATA}; HPO_SHARED_DATA may name their folder")
    sentences = tuple(_removed(path))
    assert len(sentences) == 2900
    mapped = families.apply(families.load_family(name), _corpus(*sentences))
    assert mapped.splits["train"] == ()
    assert mapped.notes[0].startswith("2,900 sentences dropped: ")


def _corpus(*sentences: Sentence) -> Corpus:
    return Corpus("corpus", {"train": sentences}, "0")


def _removed(path: Path) -> Iterator[Sentence]:
    for block in path.read_text("utf-8").strip("\n").split("\n\n"):
        name, *rows = block.splitlines()
        tokens, manual, automatic = zip(*(row.rsplit(maxsplit=2) for row in rows), strict=True)
        yield Sentence(tokens, manual, id=name.strip(), auto_labels=automatic)
