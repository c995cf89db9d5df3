"""The rows of a column file, split into fields and parted by blank lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hpo.corpora.formats.sources import Source

DOCUMENT_START = "-DOCSTART-"
TABBED_SHARE = 0.95
"""In a file with so many of its tabs, a line without any is no row."""

_COMMENT = re.compile(r"#(?:[ \t]|$|[\w:.-]+\s*=|(?:begin|end) document\b)")
_COMMENT_AS_WIDE_AS_A_ROW = re.compile(r"# +(?:[\w:.-]+ +=( |$)|newdoc\b|newpar\b)")
_DOCUMENT_ID = re.compile(r"#\s*newdoc\b")
_SENTENCE_ID = re.compile(r"#\s*(?:sent_id|sent-id|id)\s*=\s*(\S.*?)\s*$")
_BLANKS = re.compile(r"[ \t]+")

Fields = tuple[str, ...]
"""A row's fields; tuples, which the garbage collector lets be, since there may be millions of them."""


@dataclass(slots=True)
class Block:
    """The rows between two blank lines, the number of the line where they start, and the id they have.

    ``begins`` says that a document begins with them.
    """

    start: int
    rows: list[Fields]
    id: str = ""
    begins: bool = False

    def drop(self, count: int) -> None:
        """Leave out the first rows."""
        del self.rows[:count]
        self.start += count


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one source by block, not yet checked against each other.

    ``width`` is the usual number of fields of a row, at least 2; ``tabbed`` says that all rows have tabs.
    """

    source: Source
    lines: list[str]
    blocks: list[Block]
    width: int
    tabbed: bool

    def full_rows(self) -> list[list[Fields]]:
        """The rows of the usual width, by block."""
        return [[fields for fields in block.rows if len(fields) == self.width] for block in self.blocks]


def _splitter(separator: str | None) -> Callable[[str], Fields]:
    def by_tabs(line: str) -> Fields:
        fields = tuple(line.split("\t"))
        return tuple([field.strip(" ") for field in fields]) if " " in line else fields

    def by_spaces(line: str) -> Fields:
        return tuple(_BLANKS.split(line.strip(" \t")))

    def by_either(line: str) -> Fields:
        return by_tabs(line) if "\t" in line else tuple([field for field in line.split(" ") if field])

    return {"tab": by_tabs, "space": by_spaces, None: by_either}[separator]


def tabulate(source: Source, separator: str | None) -> Table:
    """The rows of a source, without the comments that stand before a sentence's first token.

    ``separator`` is ``tab`` or ``space``; without it each row is split by tabs if it has any, else by spaces.
    """
    split = _splitter(separator)
    lines = source.text.split("\n")
    blocks: list[Block] = []
    rows: list[Fields] = []
    widths: Counter[int] = Counter()
    begins = False
    for number, line in enumerate([*lines, ""], 1):
        if line and not line.isspace() and not line.startswith(DOCUMENT_START):
            rows.append(split(line))
        elif rows:
            blocks.append(Block(number - len(rows), rows, begins=begins))
            widths.update(len(fields) for fields in rows if not fields[0].startswith("#"))
            rows, begins = [], False
        begins |= line.startswith(DOCUMENT_START)
    usual = max(widths, key=lambda width: (widths[width], width), default=2)
    width = max(usual, 2)
    tabbed = source.text.count("\t") >= TABBED_SHARE * widths.total() * (width - 1) > 0
    table = Table(source, lines, blocks, width, tabbed)
    for block in blocks:
        _take_comments(block, table)
    return table


def _take_comments(block: Block, table: Table) -> None:
    """Drop the comments that a block begins with, and keep the id that one of them tells."""
    count = 0
    for fields in block.rows:
        line = table.lines[block.start - 1 + count]
        if not line.startswith("#") or not _is_comment(line, len(fields), table):
            break
        told = _SENTENCE_ID.match(line)
        block.id = told[1] if told else block.id
        block.begins |= _DOCUMENT_ID.match(line) is not None
        count += 1
    block.drop(count)


def _is_comment(line: str, width: int, table: Table) -> bool:
    if table.tabbed:
        return "\t" not in line and _COMMENT.match(line) is not None
    comment = _COMMENT if width != table.width else _COMMENT_AS_WIDE_AS_A_ROW
    return comment.match(line) is not None
