"""The contract of every file format: what it reads, and where it reports issues."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpo.corpora.formats import FORMATS
from hpo.corpora.formats.csv_lists import parse_list
from hpo.corpora.formats.options import Columns, CorpusOptions
from hpo.corpora.formats.sources import SHOWN_ISSUES
from hpo.corpora.loading import load
from hpo.corpora.sentences import Sentence
from hpo.errors import UserError

Rows = list[tuple[list[str], list[str]]]

SENTENCES: Rows = [
    (["Åsa", "Öberg", "bor", "i", "Kiruna"], ["B-PER", "I-PER", "O", "O", "B-LOC"]),
    (["#snö", '"', "faller", ",", "'", "nu"], ["O", "O", "O", "O", "O", "O"]),
    (["Ett", "tåg", "till", "Abisko", "Östra"], ["O", "O", "O", "B-LOC", "I-LOC"]),
]


def write_jsonl(rows: Rows) -> str:
    lines = [
        json.dumps({"tokens": tokens, "ner_tags": labels}, ensure_ascii=False) for tokens, labels in rows
    ]
    return "\n".join(lines) + "\n"


def write_columns(rows: Rows) -> str:
    blocks = ["".join(f"{t}\t{x}\n" for t, x in zip(*row, strict=True)) for row in rows]
    return "\n".join(blocks)


def write_hipe(rows: Rows) -> str:
    lines = ["TOKEN\tNE-COARSE-LIT\tNE-FINE-LIT\tMISC", "# document_id = one"]
    for tokens, labels in rows:
        ends = ["_"] * (len(tokens) - 1) + ["NoSpaceAfter|EndOfSentence"]
        lines += ["\t".join((t, x, "O", end)) for t, x, end in zip(tokens, labels, ends, strict=True)]
    return "\n".join(lines) + "\n"


def write_csv_lists(rows: Rows) -> str:
    cells = [['"' + repr(part).replace('"', '""') + '"' for part in row] for row in rows]
    return "\n".join(["tokens,tags", *map(",".join, cells)]) + "\n"


@dataclass(frozen=True)
class Contract:
    """How a format is written, and the line of its second sentence (or of that sentence's second token).

    ``shortened`` makes a row of the second sentence too short, ``unequal`` removes one of its labels; in
    some formats the two are the same.
    """

    write: Callable[[Rows], str]
    suffix: str
    line: int
    shortened: tuple[str, str]
    unequal: tuple[str, str]


CONTRACTS: Mapping[str, Contract] = {
    "jsonl": Contract(
        write_jsonl, ".jsonl", 2, ('"ner_tags": ["O", "O", "O", "O", "O", "O"]}', '"x": 1}'),
        ('"O", "O", "O", "O", "O", "O"', '"O", "O", "O", "O", "O"'),
    ),
    "columns": Contract(write_columns, ".conll", 8, ('"\tO\n', '"\n'), ('"\tO\n', '"\tO\tO\n')),
    "hipe": Contract(
        write_hipe, ".tsv", 9, ('"\tO\tO\t_\n', '"\tO\t_\n'), ('"\tO\tO\t_\n', '"\tO\tO\tO\t_\n')
    ),
    "csv-lists": Contract(
        write_csv_lists, ".csv", 3, ("\"['O', 'O', 'O', 'O', 'O', 'O']\"", ""),
        ("'O', 'O', 'O', 'O', 'O', 'O'", "'O', 'O', 'O', 'O', 'O'"),
    ),
}  # fmt: skip

every_format = pytest.mark.parametrize("name", FORMATS)


def expected(rows: Rows = SENTENCES) -> tuple[Sentence, ...]:
    return tuple(Sentence(tuple(tokens), tuple(labels)) for tokens, labels in rows)


def save(folder: Path, name: str, content: str | bytes, stem: str = "train") -> Path:
    path = folder / (stem + CONTRACTS[name].suffix)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, options: CorpusOptions | None = None) -> tuple[Sentence, ...]:
    return load(str(path), split_dev=False, options=options).splits["train"]


def issues_of(path: Path, options: CorpusOptions | None = None) -> list[tuple[str, str]]:
    """Return location and message of every issue."""
    with pytest.raises(UserError) as caught:
        load(str(path), split_dev=False, options=options)
    assert caught.value.exit_code == 2
    return [(issue.location, issue.message) for issue in caught.value.issues]


def test_every_format_has_a_contract() -> None:
    assert CONTRACTS.keys() == FORMATS.keys()


@every_format
def test_read_written_sentences_returns_them(name: str, tmp_path: Path) -> None:
    assert read(save(tmp_path, name, CONTRACTS[name].write(SENTENCES))) == expected()


@every_format
def test_read_given_format_ignores_file_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "train.data"
    path.write_text(CONTRACTS[name].write(SENTENCES), encoding="utf-8")
    assert read(path, CorpusOptions(format=name)) == expected()


@every_format
@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: (text + "\n\n").encode(),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "blank lines at the end"],
)
def test_read_is_independent_of_bom_and_line_ends(
    name: str, change: Callable[[str], bytes], tmp_path: Path
) -> None:
    assert read(save(tmp_path, name, change(CONTRACTS[name].write(SENTENCES)))) == expected()


@every_format
def test_read_nul_character_raises_with_line(name: str, tmp_path: Path) -> None:
    text = CONTRACTS[name].write(
        [(["a\0b" if t == '"' else t for t in tokens], x) for tokens, x in SENTENCES]
    )
    text = text.replace("\\u0000", "\0").replace("\\x00", "\0")
    path = save(tmp_path, name, text)
    assert issues_of(path) == [(f"{path}:{CONTRACTS[name].line}", "line has a NUL character")]


@every_format
def test_read_invalid_utf8_raises_with_line(name: str, tmp_path: Path) -> None:
    data = CONTRACTS[name].write(SENTENCES).encode()
    wrong = b"faller" if CONTRACTS[name].line < 4 else b'"'
    path = save(tmp_path, name, data.replace(wrong, b"f\xe5", 1))
    assert issues_of(path) == [(f"{path}:{CONTRACTS[name].line}", "line is not UTF-8")]


@every_format
@pytest.mark.parametrize("content", ["", "\n\n \n"])
def test_read_empty_file_raises(name: str, content: str, tmp_path: Path) -> None:
    path = save(tmp_path, name, content)
    assert issues_of(path) == [(f"{path}:1", "split has no sentence")]


@every_format
def test_read_utf16_file_raises_one_issue(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, name, CONTRACTS[name].write(SENTENCES).encode("utf-16"))
    assert issues_of(path) == [(f"{path}:1", "file is not UTF-8")]


@every_format
@pytest.mark.parametrize("way", ["shortened", "unequal"])
def test_read_malformed_row_raises_one_issue(name: str, way: str, tmp_path: Path) -> None:
    contract = CONTRACTS[name]
    text = contract.write(SENTENCES)
    old, new = getattr(contract, way)
    assert text.count(old) == 1
    path = save(tmp_path, name, text.replace(old, new))
    assert [where for where, _ in issues_of(path)] == [f"{path}:{contract.line}"]


@every_format
@pytest.mark.parametrize(
    ("label", "rule"),
    [
        ("B-", "label has a prefix but no type"),
        ("X-PER", "label is not valid in IOB2"),
        ("PER", "label is not valid in IOB2"),
        ("", "label is empty"),
    ],
)
def test_read_invalid_label_raises_with_line(name: str, label: str, rule: str, tmp_path: Path) -> None:
    rows = [(tokens, [label if t == '"' else x for t, x in zip(tokens, labels, strict=True)])
            for tokens, labels in SENTENCES]  # fmt: skip
    path = save(tmp_path, name, CONTRACTS[name].write(rows))
    assert issues_of(path) == [(f"{path}:{CONTRACTS[name].line}", rule)]


@every_format
def test_read_empty_token_raises_with_line(name: str, tmp_path: Path) -> None:
    rows = [(["" if token == '"' else token for token in tokens], labels) for tokens, labels in SENTENCES]
    path = save(tmp_path, name, CONTRACTS[name].write(rows))
    assert issues_of(path) == [(f"{path}:{CONTRACTS[name].line}", "token is empty")]


@every_format
def test_read_issues_of_all_files_are_raised_together(name: str, tmp_path: Path) -> None:
    bad = [(tokens, ["X-PER", *labels[1:]]) for tokens, labels in SENTENCES]
    for stem in ("train", "dev"):
        save(tmp_path, name, CONTRACTS[name].write(bad), stem)
    places = [where.rpartition(":")[0] for where, _ in issues_of(tmp_path)]
    expected_places = [str(tmp_path / f"{stem}{CONTRACTS[name].suffix}") for stem in ("train", "dev")]
    assert places == [place for place in expected_places for _ in bad]


@every_format
def test_read_many_equal_issues_are_summarized(name: str, tmp_path: Path) -> None:
    rows = [*SENTENCES * 40, *[(["ja", "ja"], ["O", "X-PER"])] * (SHOWN_ISSUES + 12)]
    path = save(tmp_path, name, CONTRACTS[name].write(rows))
    issues = issues_of(path)
    assert len(issues) == SHOWN_ISSUES + 1
    assert issues[-1] == (str(path), "label is not valid in IOB2: 12 more such lines")


@every_format
def test_type_locations_are_first_occurrences(name: str, tmp_path: Path) -> None:
    corpus = load(str(save(tmp_path, name, CONTRACTS[name].write(SENTENCES))), split_dev=False)
    first = {"jsonl": (1, 1), "columns": (1, 5), "hipe": (3, 7), "csv-lists": (2, 2)}[name]
    file = tmp_path / f"train{CONTRACTS[name].suffix}"
    assert corpus.type_locations == {"PER": f"{file}:{first[0]}", "LOC": f"{file}:{first[1]}"}


# Records: JSON lines and CSV with lists


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("not json", "line is not valid JSON"),
        ("[" * 100_000, "line is not valid JSON"),
        ("[1]", "line is not a JSON object"),
        ('{"tokens": ["a"]}', "object lacks a key"),
        ('{"tokens": "a", "ner_tags": ["O"]}', "tokens must be a list of strings"),
        ('{"tokens": [1], "ner_tags": ["O"]}', "tokens must be a list of strings"),
        ('{"tokens": ["a"], "ner_tags": "O"}', "labels must be a list"),
        ('{"tokens": ["a"], "ner_tags": [null]}', "labels must be strings"),
        ('{"tokens": ["a"], "ner_tags": [true]}', "labels must be strings"),
        ('{"tokens": ["a"], "ner_tags": [1]}', "labels are numbers without names"),
        ('{"tokens": ["a"], "ner_tags": ["O"], "auto_tags": []}', "tokens and labels differ in number"),
    ],
)
def test_read_json_of_wrong_type_raises(line: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f'{{"tokens": ["a"], "ner_tags": ["O"]}}\n{line}\n', encoding="utf-8")
    assert issues_of(path) == [(f"{path}:2", rule)]


def test_read_json_with_keys_ids_and_automatic_labels(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    record = {"id": 7, "ord": ["Umeå"], "ner_tags": ["B-LOC"], "auto_tags": ["I-LOC/PRS"]}
    empty: dict[str, list[str]] = {"ord": [], "ner_tags": []}
    path.write_text(f"{json.dumps(empty)}\n{json.dumps(record)}\n", encoding="utf-8")
    found = read(path, CorpusOptions(columns=Columns(token="ord")))
    assert found == (Sentence(("Umeå",), ("B-LOC",), "7", ("B-LOC/PRS",)),)


def test_read_integer_labels_use_label_names(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"tokens": ["Umeå", "i"], "ner_tags": [1, 0]}\n', encoding="utf-8")
    assert read(path, CorpusOptions(label_names=("O", "B-LOC")))[0].labels == ("B-LOC", "O")
    assert issues_of(path, CorpusOptions(label_names=("O",))) == [
        (f"{path}:1", "labels contain a number without a name")
    ]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("['a', \"b'c\"]", ["a", "b'c"]),
        ('["a", "\\u00e5"]', ["a", "å"]),
        ("['a' 'b'\n \"c'd\"]", ["a", "b", "c'd"]),
        ("[1, 2]", [1, 2]),
        ("[1 2]", [1, 2]),
        ("[]", []),
    ],
)
def test_parse_list_accepts_python_json_and_numpy(cell: str, found: list[object]) -> None:
    assert parse_list(cell) == found


@pytest.mark.parametrize("cell", ["", "a", "['a' ... 'b']", "[__import__('os').getcwd()]", "['a'", "[a, b]"])
def test_parse_list_other_text_raises(cell: str) -> None:
    with pytest.raises(ValueError, match="not a list"):
        parse_list(cell)


def test_read_csv_issue_has_line_where_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("tokens,tags\n\"['a'\n 'b']\",\"['O', 'O']\"\n\"['a']\",\"O\"\n", encoding="utf-8")
    assert issues_of(path) == [(f"{path}:4", "cell of tags is not a list")]


# HIPE


def write_flagged(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["TOKEN\tNE-COARSE-LIT\tNE-FINE-LIT\tMISC", *rows, ""]), encoding="utf-8")
    return path


def test_read_hipe_ends_sentences_at_flags_and_documents(tmp_path: Path) -> None:
    rows = [
        "Ajax\tB-pers\tB-pers.myth\t_",
        ".\tI-pers\tI-pers.myth\tX|EndOfSentence",
        "Locrus\tI-pers\tI-pers.myth\t_",
        "",
        "#1\t_\tO\t_",
    ]
    path = write_flagged(tmp_path / "train.tsv", rows)
    corpus = load(str(path), split_dev=False)
    assert [sentence.tokens for sentence in corpus.splits["train"]] == [("Ajax", "."), ("Locrus",), ("#1",)]
    assert [sentence.labels for sentence in corpus.splits["train"]] == [
        ("B-pers", "I-pers"),
        ("B-pers",),
        ("O",),
    ]
    assert corpus.notes == (
        f"{path}: entities split at the end of a sentence: 1",
        f"{path}: masked labels (_), read as outside: 1",
        "train: labels repaired to IOB2: 1",
    )


def test_read_hipe_uses_given_column(tmp_path: Path) -> None:
    path = write_flagged(tmp_path / "train.tsv", ["Ajax\tB-pers\tB-pers.myth\t_"])
    given = CorpusOptions(columns=Columns(label="NE-FINE-LIT"))
    assert read(path, given)[0].labels == ("B-pers.myth",)
    wrong = CorpusOptions(columns=Columns(label="NE-OTHER"))
    assert issues_of(path, wrong) == [(f"{path}:1", "header lacks a column")]


@pytest.mark.parametrize("token", ["a\\u0000b", "\\ud83d"])
def test_read_escaped_invalid_character_raises(token: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f'{{"tokens": ["a"], "ner_tags": ["O"]}}\n{{"tokens": ["{token}"], "ner_tags": ["O"]}}\n')
    assert issues_of(path) == [(f"{path}:2", "token has a NUL or an unpaired surrogate")]
    path.write_text('{"tokens": ["\\ud83d\\ude00"], "ner_tags": ["O"]}\n')
    assert read(path)[0].tokens == ("\N{GRINNING FACE}",)
