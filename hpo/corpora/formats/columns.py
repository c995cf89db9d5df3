"""Column files, CoNLL and kin: a token and its labels on a line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpo.corpora.formats.layouts import ColumnLayout, find_layouts
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.sources import Findings, RawSentence, RawSplit, Source
from hpo.corpora.formats.tables import Block, Fields, Table, tabulate
from hpo.corpora.label_schemes import find_outside

UNLABELLED_ROWS_PER = 10_000
"""One row in so many may lack its label and is read as outside; more than that is a problem of the file."""
ID_LINE_SHARE = 0.9
"""If so many sentences begin with a field that stands alone, it is their id."""

_MARKUP = re.compile(r"</?[A-Za-z][\w-]*\s*/?>")
_PADDING = re.compile(r" {2,}|\t")


def recognizes(source: Source) -> bool:
    """Whether a file can be a column file: any text can."""
    return True


def read(sources: Sequence[Source], options: CorpusOptions, findings: Findings) -> list[RawSplit]:
    """The sentences of every source; which column is what is decided by all sources together."""
    tables = [tabulate(source, options.separator) for source in sources]
    layouts = find_layouts([(table.width, table.full_rows()) for table in tables], options)
    splits = []
    for table in tables:
        layout = layouts.get(table.width)
        if layout is None or not layout.fits(table.width):
            hint = "tell `columns: {token: N, label: N}`, counted from 0, in a corpus.yaml"
            shown = f"{table.width} columns"
            findings.issue(table.source.place, 1, "no column of labels is found", shown, hint)
            splits.append(RawSplit(table.source.place, table.source.split, []))
        else:
            sentences = _TableReader(table, layout, options, findings).read()
            splits.append(RawSplit(table.source.place, table.source.split, sentences))
    return splits


class _TableReader:
    """Makes the sentences of one table and notes what is wrong with its rows."""

    def __init__(
        self, table: Table, layout: ColumnLayout, options: CorpusOptions, findings: Findings
    ) -> None:
        self._table = table
        self._place = table.source.place
        self._layout = layout
        self._findings = findings
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
            self._findings.notes.append(f"{self._place}: lines of mark-up, left out: {self._markup}")
        return sentences

    def _check(self, block: Block) -> tuple[list[Fields], Sequence[int]]:
        """The rows of a sentence that have all their columns, and their lines; others are mended or noted."""
        width = self._table.width
        if len(block.rows) == 1 and _MARKUP.fullmatch(block.rows[0][0]) and not any(block.rows[0][1:]):
            self._markup += 1
            return [], []
        lines = range(block.start, block.start + len(block.rows))
        if set(map(len, block.rows)) == {width}:
            return block.rows, lines
        kept = [
            (mended, line)
            for fields, line in zip(block.rows, lines, strict=True)
            if (mended := fields if len(fields) == width else self._mend(fields, line)) is not None
        ]
        return [fields for fields, _ in kept], [line for _, line in kept]

    def _mend(self, fields: Fields, number: int) -> Fields | None:
        """A row's columns where there is one good way to read it; else its problem is noted."""
        width = self._table.width
        line = self._table.lines[number - 1]
        if len(fields) == 1 and self._allow_unlabelled:
            label = self._outside_label()
            where = f"{self._place}:{number}"
            self._findings.notes.append(
                f"{where}: {fields[0]!r} has no label and is read as outside ({label})"
            )
            return tuple(fields[0] if column == self._layout.token else label for column in range(width))
        if len(fields) > width and self._spaced:
            # Where columns are padded, one space belongs to the token and two part the columns.
            padded = tuple(_PADDING.split(line.strip(" \t")))
            if len(padded) == width:
                return padded
        hint = f"write {width} columns as in the rest of the file, or tell the `separator`"
        self._findings.issue(self._place, number, f"row does not have {width} columns", line, hint)
        return None

    def _outside_label(self) -> str:
        labels = {fields[self._layout.label] for rows in self._table.full_rows() for fields in rows}
        return self._outside or find_outside(labels)

    def _read_sentence(
        self, rows: list[Fields], lines: Sequence[int], name: str, document: str
    ) -> RawSentence:
        token, label = self._layout.token, self._layout.label
        auto = self._layout.auto
        if auto is None and self._id_lines:
            auto = self._layout.second_label
        tokens = tuple([fields[token] for fields in rows])
        if "" in tokens:
            self._note_empty_tokens(tokens, lines)
        return RawSentence(
            tokens,
            tuple([fields[label] for fields in rows]),
            lines,
            name,
            None if auto is None else tuple([fields[auto] for fields in rows]),
            document,
        )

    def _note_empty_tokens(self, tokens: tuple[str, ...], lines: Sequence[int]) -> None:
        for token, number in zip(tokens, lines, strict=True):
            if not token:
                line = self._table.lines[number - 1]
                self._findings.issue(self._place, number, "token is empty", line, "remove the row")
