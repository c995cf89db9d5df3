"""Which column of a column file is what, told or found by what stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.label_schemes import OUTSIDE_SYMBOLS

CHUNK_TYPES = frozenset({"NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"})
"""The types of CoNLL-2000 and CoNLL-2003's chunk column, which is labelled as entities are."""
INDEX_SAMPLE = 200
"""Sentences that decide whether a column counts tokens."""
Sentences = list[list[tuple[str, ...]]]
"""Rows of fields, by sentence."""
_LABEL_PREFIXES = frozenset("BIESLUMW")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The numbers of the columns from 0; ``second_label`` is found, ``auto`` is told."""

    token: int
    label: int
    auto: int | None = None
    second_label: int | None = None

    def fits(self, width: int) -> bool:
        """Whether a row of so many columns has all of these."""
        told = (self.token, self.label) + (() if self.auto is None else (self.auto,))
        return all(0 <= column < width for column in told)


def find_layouts(tables: Sequence[tuple[int, Sentences]], options: CorpusOptions) -> dict[int, ColumnLayout]:
    """The layout of every width of row among these tables; widths without a label column are left out.

    Parameters
    ----------
    tables
        for each file its width, and its sentences as rows of so many fields.
    options
        columns that it tells are taken as told.
    """
    layouts = {}
    for width in {width for width, _ in tables}:
        sentences = [sentence for own, table in tables if own == width for sentence in table if sentence]
        layout = _find(width, sentences, options)
        if layout is not None:
            layouts[width] = layout
    return layouts


def _find(width: int, sentences: Sentences, options: CorpusOptions) -> ColumnLayout | None:
    told = options.columns
    columns = list(range(width))
    token = _from_start(told.token, width)
    if token is None:
        token = 1 if width > 2 and _counts_tokens(sentences) else 0
    candidates = [column for column in columns if column > token]
    labels = candidates if len(candidates) == 1 else _label_columns(candidates, sentences, options.outside)
    label = _from_start(told.label, width)
    if label is None and not labels:
        return None
    layout = ColumnLayout(token, labels[0] if label is None else label, _from_start(told.auto, width))
    others = [column for column in labels if column > layout.label]
    return replace(layout, second_label=others[0]) if others else layout


def _from_start(told: int | str | None, width: int) -> int | None:
    """A told column, counted from the start also where it was told from the end."""
    if told is None:
        return None
    # A name has no meaning in a file without a header, and -1 fits no layout.
    if isinstance(told, str):
        return -1
    return told + width if told < 0 else told


def _counts_tokens(sentences: Sentences) -> bool:
    """Whether the first column counts each sentence's tokens, from 0 or from 1."""
    sample = sentences[:INDEX_SAMPLE]
    counted = sum(
        rows[0][0] in ("0", "1") and [row[0] for row in rows] == _count_from(int(rows[0][0]), len(rows))
        for rows in sample
    )
    return 2 * counted > len(sample)


def _count_from(first: int, number: int) -> list[str]:
    return [str(index) for index in range(first, first + number)]


def _label_columns(candidates: Sequence[int], sentences: Sentences, outside: str | None) -> list[int]:
    """The candidates most of whose fields look like labels, chunks left out if others remain."""
    counts = {column: Counter(row[column] for rows in sentences for row in rows) for column in candidates}
    # An untold `_` is no sign of a label: CoNLL-U has it for every field that is left out.
    symbols = frozenset(OUTSIDE_SYMBOLS) - {"_"} if outside is None else frozenset({outside})
    labels = [column for column in candidates if _looks_labelled(counts[column], symbols)]
    entities = [column for column in labels if not _holds_chunks(counts[column])]
    return entities or labels


def _looks_labelled(counts: Counter[str], outside: frozenset[str]) -> bool:
    labels = sum(count for field, count in counts.items() if field in outside or _is_prefixed(field))
    return labels > 0 and 2 * labels >= counts.total()


def _holds_chunks(counts: Counter[str]) -> bool:
    types = {field[2:] for field in counts if _is_prefixed(field)}
    return bool(types) and types <= CHUNK_TYPES


def _is_prefixed(field: str) -> bool:
    return len(field) > 2 and field[1] == "-" and field[0] in _LABEL_PREFIXES
