"""Datasets of the `datasets` library, from a saved folder or by name; no test uses the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hpo.corpora.formats import hub
from hpo.corpora.formats.options import Columns, CorpusOptions
from hpo.corpora.formats.sources import Diagnostics
from hpo.corpora.loading import load
from hpo.corpora.sentences import Sentence
from hpo.errors import UserError

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()

CLASSES = ["O", "B-LOC", "I-LOC"]


def make(
    tokens: list[list[str]], labels: list[list[Any]], classes: list[str] | None = None, **more: Any
) -> Any:
    columns = {"tokens": tokens, "ner_tags": labels, **more}
    made = datasets.Dataset.from_dict(columns)
    if classes is None:
        return made
    return made.cast_column("ner_tags", datasets.List(datasets.ClassLabel(names=classes)))


def test_load_saved_folder_uses_class_labels(tmp_path: Path) -> None:
    rows = make([["i", "Norra", "Lund"], []], [[0, 1, 2], []], CLASSES, id=["a", "b"])
    datasets.DatasetDict(train=rows, validation=rows, extra=rows).save_to_disk(str(tmp_path))
    corpus = load(str(tmp_path))
    expected = (Sentence(("i", "Norra", "Lund"), ("O", "B-LOC", "I-LOC"), "a"),)
    assert corpus.splits == {"train": expected, "dev": expected}
    assert corpus.type_locations == {"LOC": f"{tmp_path}[train]:0"}
    assert corpus.notes == (f"{tmp_path}: split extra ignored",)
    assert corpus.sha256 == load(str(tmp_path)).sha256


def test_load_saved_single_split_is_train(tmp_path: Path) -> None:
    rows = make([["Lund"]], [["B-LOC"]], auto_tags=[["B-ORG"]])
    rows.save_to_disk(str(tmp_path))
    found = load(str(tmp_path), split_dev=False).splits
    assert found == {"train": (Sentence(("Lund",), ("B-LOC",), "", ("B-ORG",)),)}


def test_load_language_selects_rows(tmp_path: Path) -> None:
    rows = make([["Lund"], ["York"]], [["B-LOC"], ["B-LOC"]], lang=["sv", "en"])
    datasets.DatasetDict(train=rows).save_to_disk(str(tmp_path))
    assert load(f"{tmp_path}:en", split_dev=False).splits["train"][0].tokens == ("York",)
    with pytest.raises(UserError, match=r"no row with this lang \(got 'fi'; known: en, sv\)"):
        load(f"{tmp_path}:fi")


def test_load_issues_have_row_numbers(tmp_path: Path) -> None:
    rows = make([["Lund"], ["Lund", "i"], ["Lund"], [""]], [["B-LOC"], ["B-LOC"], ["X-LOC"], ["O"]])
    rows.save_to_disk(str(tmp_path))
    with pytest.raises(UserError) as caught:
        load(str(tmp_path))
    assert [(issue.location, issue.message) for issue in caught.value.issues] == [
        (f"{tmp_path}[train]:1", "tokens and labels differ in number"),
        (f"{tmp_path}[train]:2", "label is not valid in IOB2"),
        (f"{tmp_path}[train]:3", "token is empty"),
    ]


def test_load_missing_column_raises(tmp_path: Path) -> None:
    make([["Lund"]], [["B-LOC"]]).save_to_disk(str(tmp_path))
    with pytest.raises(UserError, match=r"dataset lacks a column \(got 'words'"):
        load(str(tmp_path), options=CorpusOptions(columns=Columns(token="words")))


class Loader:
    """Replaces the hub, and records the requests."""

    def __init__(self, splits: Mapping[str, Any] | Exception) -> None:
        self.splits = splits
        self.requests: list[tuple[str, str | None]] = []

    def __call__(self, path: str, config: str | None) -> Mapping[str, Any]:
        self.requests.append((path, config))
        if isinstance(self.splits, Exception):
            raise self.splits
        return self.splits


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("KBLab/sucx3_ner:original_cased", ("KBLab/sucx3_ner", "original_cased")),
        ("someone/news", ("someone/news", None)),
        ("conll2003", ("eriktks/conll2003", "conll2003")),
    ],
)
def test_read_passes_name_and_configuration_to_loader(data: str, expected: tuple[str, str | None]) -> None:
    loader = Loader({"train": make([["Lund"]], [[1]], CLASSES)})
    splits, _ = hub.read(data, CorpusOptions(), Diagnostics(), loader)
    assert loader.requests == [expected]
    assert splits[0].sentences[0].labels == ("B-LOC",)


def test_read_multinerd_uses_known_label_names_and_languages() -> None:
    rows = make([["York"], ["Lund", "y", "z"]], [[5], [0, 3, 30]], lang=["en", "sv"])
    loader = Loader({"train": rows, "validation": rows})
    splits, _ = hub.read("Babelscape/multinerd:sv", CorpusOptions(), Diagnostics(), loader)
    assert loader.requests == [("Babelscape/multinerd", None)]
    assert [split.name for split in splits] == ["train", "dev"]
    assert [sentence.labels for sentence in splits[0].sentences] == [("O", "B-ORG", "I-VEHI")]


def test_read_uses_given_splits() -> None:
    loader = Loader({"first": make([["Lund"]], [["B-LOC"]])})
    splits, _ = hub.read("a/b", CorpusOptions(splits={"test": "first"}), Diagnostics(), loader)
    assert splits[0].name == "test"
    with pytest.raises(UserError, match=r"no such split \(got 'second'; known: first\)"):
        hub.read("a/b", CorpusOptions(splits={"test": "second"}), Diagnostics(), loader)
    with pytest.raises(UserError, match=r"no train, dev or test split \(got 'first'"):
        hub.read("a/b", CorpusOptions(), Diagnostics(), loader)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("no network"),
        datasets.exceptions.DatasetNotFoundError("no such dataset"),
        datasets.exceptions.DatasetGenerationError("broken"),
        ValueError("no such configuration"),
    ],
)
def test_read_unavailable_dataset_raises_user_error(error: Exception) -> None:
    with pytest.raises(UserError, match="a/b:c: dataset cannot be loaded"):
        hub.read("a/b:c", CorpusOptions(), Diagnostics(), Loader(error))


def test_read_programming_error_keeps_its_type() -> None:
    with pytest.raises(TypeError):
        hub.read("a/b", CorpusOptions(), Diagnostics(), Loader(TypeError("ours")))


def test_read_script_dataset_uses_parquet_export(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def load_dataset(path: str, **kwargs: Any) -> Any:
        calls.append(kwargs)
        if "revision" not in kwargs:
            raise RuntimeError("Dataset scripts are no longer supported, but found b.py")
        return {"train": make([["Lund"]], [["B-LOC"]])}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    hub.read("a/b:c", CorpusOptions(), Diagnostics())
    assert calls == [{"name": "c"}, {"data_dir": "c", "revision": hub.EXPORT_REVISION}]
