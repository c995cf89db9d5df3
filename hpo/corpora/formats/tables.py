"""Split a column file into blocks of rows separated by blank lines, and rows into fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hpo.corpora.formats.sources import Source

DOCUMENT_START = "-DOCSTART-"
TABBED_SHARE = 0.95
"""If a file has this share of the expected tabs, lines without a tab are not rows."""

_COMMENT = re.compile(r"#(?:[ \t]|$|[\w:.-]+\s*=|(?:begin|end) document\b)")
_COMMENT_AS_WIDE_AS_A_ROW = re.compile(r"# +(?:[\w:.-]+ +=( |$)|newdoc\b|newpar\b)")
_DOCUMENT_ID = re.compile(r"#\s*newdoc\b")
_SENTENCE_ID = re.compile(r"#\s*(?:sent_id|sent-id|id)\s*=\s*(\S.*?)\s*$")
_BLANKS = re.compile(r"[ \t]+")

Fields = tuple[str, ...]
"""The fields of a row; a tuple, because the garbage collector skips tuples and there can be millions."""


@dataclass(slots=True)
class Block:
    """The rows between two blank lines, the line number of the first one, and the sentence id.

    ``begins`` says whether a document begins here.
    """

    start: int
    rows: list[Fields]
    id: str = ""
    begins: bool = False

    def drop(self, count: int) -> None:
        """Remove the first rows."""
        del self.rows[:count]
        self.start += count


@dataclass(frozen=True, slots=True)
class Table:
    """The unvalidated rows of one source, by block.

    ``width`` is the most frequent number of fields per row, at least 2; ``tabbed`` says whether rows have
    tabs.
    """

    source: Source
    lines: list[str]
    blocks: list[Block]
    width: int
    tabbed: bool

    def full_rows(self) -> list[list[Fields]]:
        """Return the rows with `width` fields, by block."""
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
    """Split a source into rows, without the comments before the first token of a sentence.

    ``separator`` is ``tab`` or ``space``; if None, each row is split at tabs, or at spaces if it has none.
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
    most_frequent = max(widths, key=lambda width: (widths[width], width), default=2)
    width = max(most_frequent, 2)
    tabbed = source.text.count("\t") >= TABBED_SHARE * widths.total() * (width - 1) > 0
    table = Table(source, lines, blocks, width, tabbed)
    for block in blocks:
        _take_comments(block, table)
    return table


def _take_comments(block: Block, table: Table) -> None:
    """Remove the comments at the start of a block, and keep the sentence id that one of them may contain."""
    count = 0
    for fields in block.rows:
        line = table.lines[block.start - 1 + count]
        if not line.startswith("#") or not _is_comment(line, len(fields), table):
            break
        found = _SENTENCE_ID.match(line)
        block.id = found[1] if found else block.id
        block.begins |= _DOCUMENT_ID.match(line) is not None
        count += 1
    block.drop(count)


def _is_comment(line: str, width: int, table: Table) -> bool:
    if table.tabbed:
        return "\t" not in line and _COMMENT.match(line) is not None
    comment = _COMMENT if width != table.width else _COMMENT_AS_WIDE_AS_A_ROW
    return comment.match(line) is not None
