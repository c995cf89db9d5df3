"""Column files such as CoNLL: one token and its labels per line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpo.corpora.formats.layouts import ColumnLayout, find_layouts
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.sources import Diagnostics, RawSentence, RawSplit, Source
from hpo.corpora.formats.tables import Block, Fields, Table, tabulate
from hpo.corpora.label_schemes import detect_outside_label

UNLABELLED_ROWS_PER = 10_000
"""At most one row in this many may have no label; it is read as outside. More are reported as issues."""
ID_LINE_SHARE = 0.9
"""If this share of the sentences begins with a line of one field, those lines are sentence ids."""

_MARKUP = re.compile(r"</?[A-Za-z][\w-]*\s*/?>")
_PADDING = re.compile(r" {2,}|\t")


def matches(source: Source) -> bool:
    """Whether a file can be a column file; any text can."""
    return True


def read(sources: Sequence[Source], options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSplit]:
    """Read the sentences of every source; the columns are identified from all sources together."""
    tables = [tabulate(source, options.separator) for source in sources]
    layouts = find_layouts([(table.width, table.full_rows()) for table in tables], options)
    splits = []
    for table in tables:
        layout = layouts.get(table.width)
        if layout is None or not layout.fits(table.width):
            hint = "set `columns: {token: N, label: N}`, counted from 0, in a corpus.yaml"
            shown = f"{table.width} columns"
            diagnostics.add_issue(table.source.location, 1, "no column of labels found", shown, hint)
            splits.append(RawSplit(table.source.location, table.source.split, []))
        else:
            sentences = _TableReader(table, layout, options, diagnostics).read()
            splits.append(RawSplit(table.source.location, table.source.split, sentences))
    return splits


class _TableReader:
    """Converts one table to sentences, and reports malformed rows."""

    def __init__(
        self, table: Table, layout: ColumnLayout, options: CorpusOptions, diagnostics: Diagnostics
    ) -> None:
        self._table = table
        self._location = table.source.location
        self._layout = layout
        self._diagnostics = diagnostics
        self._spaced = options.separator != "tab"
        self._outside = options.outside
        self._markup = 0
        headed = sum(list(map(len, block.rows[:2])) == [1, table.width] for block in table.blocks)
        self._id_lines = headed > 0 and headed >= ID_LINE_SHARE * len(table.blocks)
        single = sum(len(fields) == 1 for block in table.blocks for fields in block.rows)
        single -= headed if self._id_lines else 0
        rows = sum(len(block.rows) for block in table.blocks)
        self._allow_unlabelled = 0 < single * UNLABELLED_ROWS_PER <= rows

    def read(self) -> list[RawSentence]:
        sentences = []
        document = ""
        for block in self._table.blocks:
            if block.begins:
                document = f"{self._table.source.split}:{block.start}"
            if self._id_lines and block.rows and len(block.rows[0]) == 1:
                block.id = block.rows[0][0]
                block.drop(1)
            rows, lines = self._check(block)
            if rows:
                sentences.append(self._read_sentence(rows, lines, block.id, document))
        if self._markup:
            self._diagnostics.notes.append(f"{self._location}: skipped lines of markup: {self._markup}")
        return sentences

    def _check(self, block: Block) -> tuple[list[Fields], Sequence[int]]:
        """Return the rows of a sentence that have or can be given all columns, and their line numbers."""
        width = self._table.width
        if len(block.rows) == 1 and _MARKUP.fullmatch(block.rows[0][0]) and not any(block.rows[0][1:]):
            self._markup += 1
            return [], []
        lines = range(block.start, block.start + len(block.rows))
        if set(map(len, block.rows)) == {width}:
            return block.rows, lines
        kept = [
            (repaired, line)
            for fields, line in zip(block.rows, lines, strict=True)
            if (repaired := fields if len(fields) == width else self._repair(fields, line)) is not None
        ]
        return [fields for fields, _ in kept], [line for _, line in kept]

    def _repair(self, fields: Fields, number: int) -> Fields | None:
        """Return a row's columns if there is one plausible way to read it; otherwise add an issue."""
        width = self._table.width
        line = self._table.lines[number - 1]
        if len(fields) == 1 and self._allow_unlabelled:
            label = self._outside_label()
            location = f"{self._location}:{number}"
            self._diagnostics.notes.append(
                f"{location}: {fields[0]!r} has no label and is read as outside ({label})"
            )
            return tuple(fields[0] if column == self._layout.token else label for column in range(width))
        if len(fields) > width and self._spaced:
            # In padded columns, two spaces separate columns and a single space is part of a token.
            padded = tuple(_PADDING.split(line.strip(" \t")))
            if len(padded) == width:
                return padded
        hint = f"write {width} columns as in the rest of the file, or set `separator` in a corpus.yaml"
        self._diagnostics.add_issue(self._location, number, f"row does not have {width} columns", line, hint)
        return None

    def _outside_label(self) -> str:
        labels = {fields[self._layout.label] for rows in self._table.full_rows() for fields in rows}
        return self._outside or detect_outside_label(labels)

    def _read_sentence(
        self, rows: list[Fields], lines: Sequence[int], name: str, document: str
    ) -> RawSentence:
        token, label = self._layout.token, self._layout.label
        auto = self._layout.auto
        if auto is None and self._id_lines:
            auto = self._layout.second_label
        tokens = tuple([fields[token] for fields in rows])
        if "" in tokens:
            self._report_empty_tokens(tokens, lines)
        return RawSentence(
            tokens,
            tuple([fields[label] for fields in rows]),
            lines,
            name,
            None if auto is None else tuple([fields[auto] for fields in rows]),
            document,
        )

    def _report_empty_tokens(self, tokens: tuple[str, ...], lines: Sequence[int]) -> None:
        for token, number in zip(tokens, lines, strict=True):
            if not token:
                line = self._table.lines[number - 1]
                self._diagnostics.add_issue(self._location, number, "token is empty", line, "remove the row")
