"""The formats in which corpora come, one reader each, and how a file's format is told from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hpo.corpora.formats import columns, csv_lists, hipe, jsonl
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.sources import Findings, RawSplit, Source
from hpo.errors import Issue, UserError, unknown


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: what shows it, how it is read, and what else it writes for "no entity"."""

    recognizes: Callable[[Source], bool]
    read: Callable[[Sequence[Source], CorpusOptions, Findings], list[RawSplit]]
    outside: frozenset[str] = frozenset()


FORMATS: Mapping[str, Format] = {
    "hipe": Format(hipe.recognizes, hipe.read, frozenset({hipe.MASK})),
    "jsonl": Format(jsonl.recognizes, jsonl.read),
    "csv-lists": Format(csv_lists.recognizes, csv_lists.read),
    "columns": Format(columns.recognizes, columns.read),
}
"""In the order in which they are tried: any text can be columns. A hub dataset is no file: see `hub`."""


def find_format(sources: Sequence[Source], told: str | None, where: str) -> Format:
    """The one format of a corpus's files.

    Raises
    ------
    UserError
        if the told format is not known, or the files are of several.
    """
    if told is not None:
        if told not in FORMATS:
            raise unknown(f"{where}: format", "corpus format", told, FORMATS)
        return FORMATS[told]
    written = [source for source in sources if source.text.strip()] or sources
    found = {source.place: _recognize(source) for source in written}
    names = set(found.values())
    if len(names) > 1:
        shown = ", ".join(f"{place} is {name}" for place, name in found.items())
        hint = "give all splits one format, or tell it as `format` in a corpus.yaml"
        raise UserError(Issue(where, "splits are of different formats", shown, hint))
    return FORMATS[names.pop()]


def _recognize(source: Source) -> str:
    return next(name for name, kind in FORMATS.items() if kind.recognizes(source))
