"""Loading: files of splits, options, the dev split and pruning."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from hpo.corpora.formats.folders import split_of
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.loading import load, read
from hpo.errors import UserError


def write(path: Path, words: list[str]) -> Path:
    """Write one JSON line, a sentence, for each word."""
    lines = [json.dumps({"tokens": [word], "ner_tags": ["B-LOC"]}) for word in words]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def words_of(data: Path | str, split: str = "train", **kwargs: object) -> list[str]:
    corpus = load(str(data), **kwargs)  # type: ignore[arg-type]
    return [sentence.tokens[0] for sentence in corpus.splits[split]]


WORDS = [f"by{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("HIPE-2022-v2.1-ajmc-train-en.tsv", "train"),
        ("HIPE-2022-v2.1-ajmc-test-allmasked-en.tsv", "test-allmasked"),
        ("sv_talbanken-ud-dev.iob2", "dev"),
        ("digitoday.2014.train.csv", "train"),
        ("train_corpus.txt", "train"),
        ("val.conllu", "dev"),
        ("Validation.JSONL", "dev"),
        ("eng.testa", "dev"),
        ("eng.testb", "test"),
        ("corpus.txt", None),
        ("latest.txt", None),
        ("train-test.txt", None),
    ],
)
def test_split_of_file_name_returns_split(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_load_folder_orders_splits_and_hashes_files(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.jsonl", [name]) for name in ("test", "train", "validation")]
    for ignored in ("README.md", "README.txt", "SHA256SUMS", "LICENSE", ".hidden"):
        (tmp_path / ignored).write_text("no data", encoding="utf-8")
    corpus = load(str(tmp_path))
    assert list(corpus.splits) == ["train", "dev", "test"]
    content = b"".join(files[at].read_bytes() for at in (1, 2, 0))
    assert corpus.sha256 == hashlib.sha256(content).hexdigest()
    assert corpus.name == tmp_path.name
    assert corpus.notes == ()


def test_load_ambiguous_test_files_takes_the_one_named_like_the_others(tmp_path: Path) -> None:
    for name in ("news.2014.train", "news.2014.dev", "news.2015.test", "wiki.test"):
        write(tmp_path / f"{name}.jsonl", [name])
    write(tmp_path / "news.test-allmasked.jsonl", ["masked"])
    corpus = load(str(tmp_path))
    assert corpus.splits["test"][0].tokens == ("news.2015.test",)
    assert "test is news.2015.test.jsonl" in corpus.notes[0]
    assert "news.test-allmasked.jsonl: ignored" in corpus.notes[1]
    given = CorpusOptions(splits={"wiki": "wiki.test.jsonl", "test-allmasked": "news.test-allmasked.jsonl"})
    assert list(load(str(tmp_path), options=given).splits) == ["test-allmasked", "wiki"]


def test_load_two_files_for_one_split_raises(tmp_path: Path) -> None:
    for name in ("a.test", "b.test", "c.train"):
        write(tmp_path / f"{name}.jsonl", [name])
    with pytest.raises(UserError, match="several files match the test split"):
        load(str(tmp_path))


def test_load_several_files_without_split_names_raises(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["a"])
    assert words_of(tmp_path) == ["a"]
    write(tmp_path / "b.jsonl", ["b"])
    with pytest.raises(UserError, match="no file name indicates a split"):
        load(str(tmp_path))


def test_load_folder_without_data_raises_with_subfolders(tmp_path: Path) -> None:
    (tmp_path / "sv").mkdir()
    with pytest.raises(UserError, match=r"has no data file \(name one of its folders: sv\)"):
        load(str(tmp_path))


def test_load_options_take_precedence_over_corpus_yaml(tmp_path: Path) -> None:
    write(tmp_path / "one.data", ["one"])
    write(tmp_path / "two.data", ["two"])
    (tmp_path / "corpus.yaml").write_text(
        "name: given\nformat: jsonl\noutside: 0\nsplits: {train: one.data, test: two.data}\n",
        encoding="utf-8",
    )
    corpus = load(str(tmp_path))
    assert (corpus.name, list(corpus.splits)) == ("given", ["train", "test"])
    assert load(str(tmp_path), options=CorpusOptions(name="mine")).name == "mine"


def test_load_invalid_corpus_yaml_raises_with_lines(tmp_path: Path) -> None:
    (tmp_path / "corpus.yaml").write_text("name: a\nschema: IOB2\nscheme: IOB3\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(str(tmp_path))
    assert sorted(issue.location.rpartition(":")[2] for issue in caught.value.issues) == ["2", "3"]


def test_load_missing_split_file_or_unknown_format_raises(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ["a"])
    with pytest.raises(UserError, match=r"no such file \(got 'b\.jsonl'"):
        load(str(tmp_path), options=CorpusOptions(splits={"train": "b.jsonl"}))
    with pytest.raises(UserError, match=r"unknown corpus format \(got 'xml'; known: hipe, jsonl"):
        load(str(tmp_path), options=CorpusOptions(format="xml"))


def test_load_files_of_two_formats_raises(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ["a"])
    (tmp_path / "test.conll").write_text("a\tO\n", encoding="utf-8")
    with pytest.raises(UserError, match="different formats"):
        load(str(tmp_path))


@pytest.mark.parametrize("data", ["nowhere/train.jsonl", "./nowhere", "/nowhere", "a/b/c"])
def test_load_missing_data_raises_with_hint(data: str) -> None:
    with pytest.raises(UserError, match=r"no such file or folder \(name a file, a folder, a hub id"):
        load(data)


def test_read_detects_one_scheme_for_all_splits(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Lund\tI-LOC\ni\tO\n", encoding="utf-8")
    (tmp_path / "test.conll").write_text("i\tO\nLund\tB-LOC\n", encoding="utf-8")
    reading = read(str(tmp_path))
    assert reading.repaired == {"train": 1, "test": 0}
    assert reading.corpus.notes == ("train: labels repaired to IOB2: 1",)


def test_load_without_dev_splits_dev_from_train(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", WORDS)
    corpus = load(str(path))
    assert list(corpus.splits) == ["train", "dev"]
    assert (len(corpus.splits["train"]), len(corpus.splits["dev"])) == (90, 10)
    assert corpus.notes == ("dev: 10 of 100 train sentences, drawn with seed 42",)
    assert words_of(path, "dev") != words_of(path, "dev", seed=43)
    assert sorted(words_of(path) + words_of(path, "dev")) == sorted(WORDS)
    assert list(load(str(path), split_dev=False).splits) == ["train"]


def test_load_dev_split_does_not_depend_on_order(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", WORDS)
    turned = write(tmp_path / "turned.train.jsonl", WORDS[::-1])
    assert words_of(path, "dev") == words_of(turned, "dev")[::-1]


def test_load_single_train_sentence_is_not_split(tmp_path: Path) -> None:
    corpus = load(str(write(tmp_path / "train.jsonl", ["a"])))
    assert list(corpus.splits) == ["train"]
    assert corpus.notes == ("no dev split: train has only one sentence",)


def test_load_smaller_share_is_subset_of_larger_share(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", WORDS)
    small, large = (words_of(path, split_dev=False, subsample={"train": fraction}) for fraction in (0.2, 0.5))
    assert (len(small), len(large)) == (20, 50)
    assert set(small) < set(large)
    assert large == [word for word in WORDS if word in large]


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.1, float("nan")])
def test_load_fraction_out_of_range_raises(fraction: float, tmp_path: Path) -> None:
    path = str(write(tmp_path / "train.jsonl", WORDS))
    with pytest.raises(UserError, match=r"subsample.train: must be in \(0, 1\]"):
        load(path, subsample={"train": fraction})
    if fraction != 1.0:
        with pytest.raises(UserError, match="dev_fraction: must be in"):
            load(path, dev_fraction=fraction)


def test_load_prune_of_missing_split_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"subsample\.test: no such split"):
        load(str(write(tmp_path / "train.jsonl", WORDS)), subsample={"test": 0.5})


def test_load_demo_can_be_pruned() -> None:
    whole, pruned = load("demo").splits, load("demo", subsample={"train": 0.1}).splits
    assert len(pruned["train"]) == round(0.1 * len(whole["train"]))
    assert pruned["dev"] == whole["dev"]


def test_load_split_aliases_are_normalized(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["a"])
    write(tmp_path / "b.jsonl", ["b"])
    given = CorpusOptions(splits={"Validation": "b.jsonl", "training": "a.jsonl", "wikipedia": "b.jsonl"})
    assert list(load(str(tmp_path), options=given).splits) == ["train", "dev", "wikipedia"]


@pytest.mark.parametrize(
    ("splits", "rule"),
    [
        ("{trian: a}", "splits.trian: unknown split; did you mean train"),
        ("{dev: a, val: b}", "splits.val: the dev split is defined twice"),
        ("{'': a}", "must not be empty"),
    ],
)
def test_load_misspelled_or_duplicate_split_raises(splits: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.yaml").write_text(f"name: x\nsplits: {splits}\n")
    with pytest.raises(UserError, match=rf"corpus\.yaml:2: .*{rule}"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("data", "rule"), [("~nobody-of-this-name/x", "no such home folder"), ("a" * 5000, "cannot be read")]
)
def test_load_path_that_cannot_be_resolved_raises(data: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        load(data)


def test_load_folder_without_permission_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", forbid)
    with pytest.raises(UserError, match=rf"^{tmp_path}: cannot be read \(got 'Permission denied'"):
        load(str(tmp_path))


def test_load_unpaired_surrogate_in_id_can_be_split(tmp_path: Path) -> None:
    line = '{"tokens": ["a"], "ner_tags": ["O"], "id": "\\ud83d"}\n'
    (tmp_path / "train.jsonl").write_text(line * 2)
    assert list(load(str(tmp_path)).splits) == ["train", "dev"]


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ("bio", ("B-PER", "B-PER")), ("BIO", ("B-PER", "B-PER")), ("iob", ("B-PER", "I-PER")),
        ("auto", ("B-PER", "I-PER")), ("iob1", ("B-PER", "I-PER")),
    ],
)  # fmt: skip
def test_load_accepts_scheme_aliases(tmp_path: Path, given: str, labels: tuple[str, ...]) -> None:
    rows = {"bio": "B-PER B-PER", "iob": "I-PER I-PER", "auto": "I-PER I-PER"}[given.lower().rstrip("1")]
    line = json.dumps({"tokens": ["Ada", "Berg"], "ner_tags": rows.split()})
    (tmp_path / "test.jsonl").write_text(line, encoding="utf-8")
    (tmp_path / "corpus.yaml").write_text(f"scheme: {given}\n", encoding="utf-8")
    assert load(str(tmp_path), split_dev=False).splits["test"][0].labels == labels
