"""A data file's text, the sentences read from it, and all that was found on the way."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.errors import Issue, UserError

SHOWN_ISSUES = 20
"""Faults of one rule in one file that are told one by one; the rest are told as a number."""
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, which holds one split; ``place`` is what its problems call it."""

    place: str
    split: str
    text: str


@dataclass(frozen=True, slots=True)
class RawSentence:
    """A sentence as a file has it, its labels in the corpus's own scheme.

    *Shape:* ``labels``, ``lines`` (from 1) and ``auto_labels`` are as long as ``tokens``.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    lines: Sequence[int]
    id: str = ""
    auto_labels: tuple[str, ...] | None = None
    document: str = ""


@dataclass(frozen=True, slots=True)
class RawSplit:
    """All sentences of one source."""

    place: str
    split: str
    sentences: list[RawSentence]


class Findings:
    """The problems and notes of a corpus, collected while it is read.

    Faults stand in the order of files, then lines.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._issues: dict[str, list[tuple[int, Issue]]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._damaged: set[tuple[str, int]] = set()

    def issue(self, place: str, line: int, rule: str, value: object = None, hint: str = "") -> None:
        """Note a broken rule; of a line already told to be damaged nothing more is said."""
        if (place, line) in self._damaged:
            return
        counts = self._counts.setdefault(place, Counter())
        counts[rule] += 1
        if counts[rule] <= SHOWN_ISSUES:
            shown = _shorten(value) if isinstance(value, str) else value
            issues = self._issues.setdefault(place, [])
            issues.append((line, Issue(f"{place}:{line}", rule, shown, hint)))

    def damage(self, place: str, line: int, rule: str, value: object, hint: str) -> None:
        """Note a problem of a line's bytes, after which the line's content is not judged."""
        self.issue(place, line, rule, value, hint)
        self._damaged.add((place, line))

    def has_faults(self, place: str) -> bool:
        """Whether anything was wrong in this file."""
        return place in self._issues

    def issues(self) -> list[Issue]:
        """Every problem; where a rule was broken over and over, the rest as one."""
        told: list[Issue] = []
        for place, issues in self._issues.items():
            told.extend(issue for _, issue in sorted(issues, key=lambda item: item[0]))
            for rule, count in self._counts[place].items():
                if count > SHOWN_ISSUES:
                    told.append(Issue(place, f"{rule}: {count - SHOWN_ISSUES} more such lines"))
        return told

    def stop_at_faults(self) -> None:
        """End the reading here if anything was wrong.

        Raises
        ------
        UserError
            with every problem so far, if there is one.
        """
        if self._issues:
            raise UserError(self.issues())


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def decode(data: bytes, place: str, split: str, findings: Findings) -> Source:
    """The text of a file's bytes, without byte order mark and with ``\\n`` alone as line end.

    Bytes that are not UTF-8 and NUL characters are noted as problems of their lines.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        findings.damage(place, 1, "file is not UTF-8", "a UTF-16 byte order mark", "convert it to UTF-8")
        return Source(place, split, "")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        _note_undecodable(data, place, findings)
    if "\0" in text:
        for number, line in enumerate(text.split("\n"), 1):
            if "\0" in line:
                findings.damage(place, number, "line has a NUL character", line.strip("\r"), "remove it")
    return Source(place, split, text.replace("\r\n", "\n"))


def _note_undecodable(data: bytes, place: str, findings: Findings) -> None:
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = line[error.start : error.end]
            findings.damage(place, number, "line is not UTF-8", wrong, "convert the file to UTF-8")
