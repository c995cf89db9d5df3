"""CSV files with a list of tokens and a list of labels in each row, as Python or JSON lists."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.records import LABEL_KEYS, TOKEN_KEYS, RecordKeys, RecordReader, find_keys
from hpo.corpora.formats.sources import Diagnostics, RawSentence, RawSplit, Source

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def matches(source: Source) -> bool:
    """Whether the first row names a column of tokens and a column of labels."""
    header = _header(source)
    return any(key in header for key in TOKEN_KEYS) and any(key in header for key in LABEL_KEYS)


def _header(source: Source) -> list[str]:
    first = source.text.split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first]), [])]
    except csv.Error:
        return []


def read(sources: Sequence[Source], options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSplit]:
    """Read the sentences of every source; issues have the line where their row begins."""
    return [
        RawSplit(source.location, source.split, _read_source(source, options, diagnostics))
        for source in sources
    ]


def _read_source(source: Source, options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSentence]:
    header = _header(source)
    keys, missing = find_keys(options.columns, header)
    for name in missing:
        diagnostics.add_issue(
            source.location, 1, "header lacks a column", name, f"columns: {', '.join(header)}"
        )
    if missing:
        return []
    reader = RecordReader(source.location, diagnostics, options.label_names, options.label_names)
    sentences = []
    for line, row in _rows(source, diagnostics):
        if len(row) != len(header):
            hint = "quote cells that contain commas"
            diagnostics.add_issue(
                source.location, line, f"row does not have {len(header)} cells", len(row), hint
            )
            continue
        sentence = _read_row(
            source.location, line, dict(zip(header, row, strict=True)), keys, reader, diagnostics
        )
        if sentence is not None:
            sentences.append(sentence)
    return sentences


def _rows(source: Source, diagnostics: Diagnostics) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(source.text, newline=""), strict=True)
    line = 1
    try:
        for row in rows:
            if line > 1 and row:
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        hint = "close every quote, and double quotes inside a cell"
        diagnostics.add_issue(source.location, line, "row is not valid CSV", str(error), hint)


def _read_row(
    location: str,
    line: int,
    row: dict[str, str],
    keys: RecordKeys,
    reader: RecordReader,
    diagnostics: Diagnostics,
) -> RawSentence | None:
    lists: dict[str, list[Any]] = {}
    for key in filter(None, (keys.token, keys.label, keys.auto)):
        try:
            lists[key] = parse_list(row[key])
        except ValueError:
            hint = "write it as ['a', 'b'] or [\"a\", \"b\"]"
            diagnostics.add_issue(location, line, f"cell of {key} is not a list", row[key], hint)
    if len(lists) < (3 if keys.auto else 2):
        return None
    auto = lists[keys.auto] if keys.auto else None
    name = row[keys.id] if keys.id else None
    return reader.read(line, lists[keys.token], lists[keys.label], auto, name)


def parse_list(cell: str) -> list[Any]:
    """Parse a list written in JSON, in Python, or as numpy prints an array (without commas).

    Raises
    ------
    ValueError
        If the cell is not a list.
    """
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError("not a list")
    body = text[1:-1]
    # Python would concatenate strings without a comma, so numpy's notation is tried first.
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
