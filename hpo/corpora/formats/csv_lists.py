"""CSV with a list of tokens and a list of labels in each row, written as Python or JSON lists."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.records import LABEL_KEYS, TOKEN_KEYS, Layout, RecordReader, find_layout
from hpo.corpora.formats.sources import Findings, RawSentence, RawSplit, Source

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def recognizes(source: Source) -> bool:
    """Whether a file's first row names a column of tokens and a column of labels."""
    header = _header(source)
    return any(key in header for key in TOKEN_KEYS) and any(key in header for key in LABEL_KEYS)


def _header(source: Source) -> list[str]:
    first = source.text.split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first]), [])]
    except csv.Error:
        return []


def read(sources: Sequence[Source], options: CorpusOptions, findings: Findings) -> list[RawSplit]:
    """The sentences of every source; a row's problems are told at the line where the row begins."""
    return [
        RawSplit(source.place, source.split, _read_source(source, options, findings)) for source in sources
    ]


def _read_source(source: Source, options: CorpusOptions, findings: Findings) -> list[RawSentence]:
    header = _header(source)
    layout, missing = find_layout(options.columns, header)
    for name in missing:
        findings.issue(source.place, 1, "header lacks a column", name, f"it has: {', '.join(header)}")
    if missing:
        return []
    reader = RecordReader(source.place, findings, options.label_names, options.label_names)
    sentences = []
    for line, row in _rows(source, findings):
        if len(row) != len(header):
            hint = "quote the cells that hold commas"
            findings.issue(source.place, line, f"row does not have {len(header)} cells", len(row), hint)
            continue
        sentence = _read_row(
            source.place, line, dict(zip(header, row, strict=True)), layout, reader, findings
        )
        if sentence is not None:
            sentences.append(sentence)
    return sentences


def _rows(source: Source, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(source.text, newline=""), strict=True)
    line = 1
    try:
        for row in rows:
            if line > 1 and row:
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        hint = "close every quote, and double the quotes inside a cell"
        findings.issue(source.place, line, "row is not CSV", str(error), hint)


def _read_row(
    place: str, line: int, row: dict[str, str], layout: Layout, reader: RecordReader, findings: Findings
) -> RawSentence | None:
    lists: dict[str, list[Any]] = {}
    keys = [layout.token, layout.label] + ([layout.auto] if layout.auto else [])
    for key in keys:
        try:
            lists[key] = parse_list(row[key])
        except ValueError:
            hint = "write it as ['a', 'b'] or [\"a\", \"b\"]"
            findings.issue(place, line, f"cell of {key} is not a list", row[key], hint)
    if len(lists) < len(keys):
        return None
    auto = lists[layout.auto] if layout.auto else None
    name = row[layout.id] if layout.id else None
    return reader.read(line, lists[layout.token], lists[layout.label], auto, name)


def parse_list(cell: str) -> list[Any]:
    """The list that a cell spells, in JSON, in Python, or as numpy prints an array (without commas).

    Raises
    ------
    ValueError
        if it spells no list.
    """
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError("not a list")
    body = text[1:-1]
    # Python would join neighbouring strings without a comma into one, so numpy's way is tried first.
    if not _QUOTED.sub("", body).strip():
        return [ast.literal_eval(item) for item in _QUOTED.findall(body)]
    if re.fullmatch(r"\d+(?:\s+\d+)*", body.strip()):
        return [int(number) for number in body.split()]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _parse_python(text)
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _parse_python(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("not a list") from error
