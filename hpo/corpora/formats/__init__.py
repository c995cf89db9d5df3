"""Corpus file formats: one reader for each, and format detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hpo.corpora.formats import columns, csv_lists, hipe, jsonl
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.sources import Diagnostics, RawSplit, Source
from hpo.errors import Issue, UserError, unknown


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its detector, its reader, and its additional labels for "no entity"."""

    matches: Callable[[Source], bool]
    read: Callable[[Sequence[Source], CorpusOptions, Diagnostics], list[RawSplit]]
    outside: frozenset[str] = frozenset()


FORMATS: Mapping[str, Format] = {
    "hipe": Format(hipe.matches, hipe.read, frozenset({hipe.MASK})),
    "jsonl": Format(jsonl.matches, jsonl.read),
    "csv-lists": Format(csv_lists.matches, csv_lists.read),
    "columns": Format(columns.matches, columns.read),
}
"""In the order of detection; columns come last because any text matches them. For datasets see `hub`."""


def find_format(sources: Sequence[Source], name: str | None, location: str) -> Format:
    """Return the named format, or detect the one format of all files of a corpus.

    Raises
    ------
    UserError
        If the named format is unknown, or the files have different formats.
    """
    if name is not None:
        if name not in FORMATS:
            raise unknown(f"{location}: format", "corpus format", name, FORMATS)
        return FORMATS[name]
    not_empty = [source for source in sources if source.text.strip()] or sources
    found = {source.location: detect_format(source) for source in not_empty}
    names = set(found.values())
    if len(names) > 1:
        shown = ", ".join(f"{file} is {kind}" for file, kind in found.items())
        hint = "convert them to one format, or set `format` in a corpus.yaml"
        raise UserError(Issue(location, "splits have different formats", shown, hint))
    return FORMATS[names.pop()]


def detect_format(source: Source) -> str:
    """Return the name of the first format that a file matches."""
    return next(name for name, file_format in FORMATS.items() if file_format.matches(source))
