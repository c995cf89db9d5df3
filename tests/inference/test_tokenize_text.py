"""Plain text is tokenized with offsets, and the format of input files is detected."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import UserError
from hpo.inference.tokenize_text import INPUT_FORMATS, from_tokens, read_texts, tokenize_line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Ada Lovelace bor i Åbo.", "Ada|Lovelace|bor|i|Åbo|."),
        ("(U.S.) won 3-1, at 12:30!", "(|U.S|.|)|won|3-1|,|at|12:30|!"),
        ("1,200.50 € – don't, Jean-Luc’s", "1,200.50|€|–|don't|,|Jean-Luc’s"),
        ("a:b, c.d ...", "a|:|b|,|c.d|.|.|."),
        ("हिन्दी में", "हिन्दी|में"),
        ("e\u0301te\u0301 so\u00adft", "e\u0301te\u0301|so\u00adft"),
        ("x_1\u00a0y\u2003z\t\x07", "x_1|y|z"),
        ("😀😀 𝔘nicode", "😀|😀|𝔘nicode"),
        ("", ""),
    ],
)
def test_tokenize_line_splits_words_by_rule(line, words):
    assert "|".join(tokenize_line(line).tokens) == words


@given(st.text(max_size=60))
def test_tokenize_line_spans_cover_all_but_spaces(line):
    text = tokenize_line(line)
    covered = [False] * len(line)
    for token, (start, end) in zip(text.tokens, text.spans, strict=True):
        assert token == line[start:end] != ""
        assert not any(covered[start:end])
        covered[start:end] = [True] * (end - start)
    assert list(text.spans) == sorted(text.spans)
    left = {character for character, hit in zip(line, covered, strict=True) if not hit}
    assert all(
        character.isspace() or ord(character) < 32 or 127 <= ord(character) < 160 for character in left
    )


@given(st.lists(st.text(min_size=1, max_size=5), max_size=6))
def test_from_tokens_spans_are_token_positions(tokens):
    text = from_tokens(tokens, "7")
    assert [text.text[start:end] for start, end in text.spans] == list(text.tokens) == tokens
    assert text.id == "7"


ROW = {"id": "a", "tokens": ["Ada", "lives"], "ner_tags": ["B-PER", "O"]}


@pytest.mark.parametrize(
    ("name", "content", "tokens"),
    [
        ("a.txt", "Ada lives.\n\nIn Åbo", [("Ada", "lives", "."), ("In", "Åbo")]),
        ("a", "# no comment\r\nhi\r\n", [("#", "no", "comment"), ("hi",)]),
        ("a.jsonl", json.dumps(ROW), [("Ada", "lives")]),
        ("a.jsonl", json.dumps({"tokens": ["Ada"]}) + "\n", [("Ada",)]),
        ("a.json", json.dumps({"words": ["Ada", "x y"]}) + "\n", [("Ada", "x y")]),
        ("a.conll", "Ada\tB-PER\nlives\tO\n\nIn\tO\n", [("Ada", "lives"), ("In",)]),
        ("train.txt", "-DOCSTART- -X- O O\n\nAda NN B-NP B-PER\nin IN O O\n", [("Ada", "in")]),
        ("a.csv", "id,tokens,ner_tags\n3,\"['Ada', 'b']\",\"['O', 'O']\"\n", [("Ada", "b")]),
        ("a.tsv", "TOKEN\tNE-COARSE-LIT\tMISC\nAda\tB-pers\t_\n", [("Ada",)]),
    ],
)  # fmt: skip
def test_read_texts_detects_format(tmp_path, name, content, tokens):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert [text.tokens for text in read_texts(str(path))] == tokens


def test_read_texts_uses_given_format(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW), encoding="utf-8")
    assert read_texts(str(path))[0].id == "a"
    assert read_texts(str(path), "plain")[0].tokens[:3] == ("{", '"', "id")
    with pytest.raises(UserError, match=f"known: {', '.join(INPUT_FORMATS)}"):
        read_texts(str(path), "xml")


def test_read_texts_numbers_lines_from_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n\n \nfour\x0cstill\n", encoding="utf-8")
    assert [(text.id, text.tokens) for text in read_texts(str(path))] == [
        ("1", ("one",)), ("4", ("four", "still")),
    ]  # fmt: skip


def test_read_texts_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("Åbo är".encode())))
    assert read_texts("-")[0].tokens == ("Åbo", "är")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"good\n\xff\n", r"a\.txt:2: line is not UTF-8"),
        (b"a\0b", r"a\.txt:1: line has a NUL character"),
        (b'{"tokens": "a"}', r"a\.txt:1: object lacks a key"),
        (b'{"tokens": ["a", ""], "ner_tags": []}', r"a\.txt:1: token is empty"),
        (b'{"text": "a"}', r"a\.txt:1: object lacks a key"),
    ],
)
def test_read_texts_issues_have_lines(tmp_path, content, complaint):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        read_texts(str(path))


def test_read_texts_missing_file_or_folder_raises(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_texts(str(tmp_path / "nope"))
    with pytest.raises(UserError, match="is a folder"):
        read_texts(str(tmp_path))
