"""The text of a data file, the raw sentences read from it, and the issues and notes about it."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.errors import Issue, UserError

SHOWN_ISSUES = 20
"""Issues with the same message in one file that are reported one by one; the rest are counted."""
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, which contains one split; ``location`` is its name in issues."""

    location: str
    split: str
    text: str


@dataclass(frozen=True, slots=True)
class RawSentence:
    """A sentence as read from a file, with labels in the corpus's scheme.

    *Shape:* ``labels``, ``lines`` (line numbers from 1) and ``auto_labels`` are as long as ``tokens``.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    lines: Sequence[int]
    id: str = ""
    auto_labels: tuple[str, ...] | None = None
    document: str = ""


@dataclass(frozen=True, slots=True)
class RawSplit:
    """The name and all sentences of one split, and the location of its source."""

    location: str
    name: str
    sentences: list[RawSentence]


class Diagnostics:
    """The issues and notes collected while a corpus is read, in the order of files, then lines."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._issues: dict[str, list[tuple[int, Issue]]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._damaged: set[tuple[str, int]] = set()

    def add_issue(self, location: str, line: int, message: str, value: object = None, hint: str = "") -> None:
        """Add an issue, unless the line was already reported as damaged."""
        if (location, line) in self._damaged:
            return
        counts = self._counts.setdefault(location, Counter())
        counts[message] += 1
        if counts[message] <= SHOWN_ISSUES:
            shown = _shorten(value) if isinstance(value, str) else value
            issues = self._issues.setdefault(location, [])
            issues.append((line, Issue(f"{location}:{line}", message, shown, hint)))

    def add_damaged_line(self, location: str, line: int, message: str, value: object, hint: str) -> None:
        """Add an issue about the bytes of a line, and ignore further issues of that line."""
        self.add_issue(location, line, message, value, hint)
        self._damaged.add((location, line))

    def has_issues(self, location: str) -> bool:
        """Whether this file has issues."""
        return location in self._issues

    def issues(self) -> list[Issue]:
        """Return all issues; those beyond `SHOWN_ISSUES` with the same message are summarized in one."""
        shown: list[Issue] = []
        for location, issues in self._issues.items():
            shown.extend(issue for _, issue in sorted(issues, key=lambda item: item[0]))
            for message, count in self._counts[location].items():
                if count > SHOWN_ISSUES:
                    shown.append(Issue(location, f"{message}: {count - SHOWN_ISSUES} more such lines"))
        return shown

    def raise_issues(self) -> None:
        """Stop reading if there are issues.

        Raises
        ------
        UserError
            If there is an issue; the error lists all issues so far.
        """
        if self._issues:
            raise UserError(self.issues())


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def decode(data: bytes, location: str, split: str, diagnostics: Diagnostics) -> Source:
    """Decode a file as UTF-8, remove a byte order mark, and convert line ends to ``\\n``.

    Bytes that are not UTF-8 and NUL characters are added as issues of their lines.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        diagnostics.add_damaged_line(
            location, 1, "file is not UTF-8", "a UTF-16 byte order mark", "convert it to UTF-8"
        )
        return Source(location, split, "")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        _report_undecodable(data, location, diagnostics)
    if "\0" in text:
        for number, line in enumerate(text.split("\n"), 1):
            if "\0" in line:
                diagnostics.add_damaged_line(
                    location, number, "line has a NUL character", line.strip("\r"), "remove it"
                )
    return Source(location, split, text.replace("\r\n", "\n"))


def _report_undecodable(data: bytes, location: str, diagnostics: Diagnostics) -> None:
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = line[error.start : error.end]
            diagnostics.add_damaged_line(
                location, number, "line is not UTF-8", wrong, "convert the file to UTF-8"
            )
