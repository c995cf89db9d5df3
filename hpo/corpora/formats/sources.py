"""A data file's text, the sentences read from it, and all that was found on the way."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.errors import Fault, UserError

SHOWN_FAULTS = 20
"""Faults of one rule in one file that are told one by one; the rest are told as a number."""
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, which holds one split; ``place`` is what its faults call it."""

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
    """The faults and notes of a corpus, collected while it is read.

    Faults stand in the order of files, then lines.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._faults: dict[str, list[tuple[int, Fault]]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._damaged: set[tuple[str, int]] = set()

    def fault(self, place: str, line: int, rule: str, value: object = None, remedy: str = "") -> None:
        """Note a broken rule; of a line already told to be damaged nothing more is said."""
        if (place, line) in self._damaged:
            return
        counts = self._counts.setdefault(place, Counter())
        counts[rule] += 1
        if counts[rule] <= SHOWN_FAULTS:
            shown = _shorten(value) if isinstance(value, str) else value
            faults = self._faults.setdefault(place, [])
            faults.append((line, Fault(f"{place}:{line}", rule, shown, remedy)))

    def damage(self, place: str, line: int, rule: str, value: object, remedy: str) -> None:
        """Note a fault of a line's bytes, after which the line's content is not judged."""
        self.fault(place, line, rule, value, remedy)
        self._damaged.add((place, line))

    def has_faults(self, place: str) -> bool:
        """Whether anything was wrong in this file."""
        return place in self._faults

    def faults(self) -> list[Fault]:
        """Every fault; where a rule was broken over and over, the rest as one."""
        told: list[Fault] = []
        for place, faults in self._faults.items():
            told.extend(fault for _, fault in sorted(faults, key=lambda item: item[0]))
            for rule, count in self._counts[place].items():
                if count > SHOWN_FAULTS:
                    told.append(Fault(place, f"{rule}: {count - SHOWN_FAULTS} more such lines"))
        return told

    def stop_at_faults(self) -> None:
        """End the reading here if anything was wrong.

        Raises
        ------
        UserError
            with every fault so far, if there is one.
        """
        if self._faults:
            raise UserError(self.faults())


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def decode(data: bytes, place: str, split: str, findings: Findings) -> Source:
    """The text of a file's bytes, without byte order mark and with ``\\n`` alone as line end.

    Bytes that are not UTF-8 and NUL characters are noted as faults of their lines.
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
