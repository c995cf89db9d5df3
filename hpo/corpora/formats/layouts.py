"""Find the token and label columns of column files, by options or by their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.label_schemes import OUTSIDE_SYMBOLS

CHUNK_TYPES = frozenset({"NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"})
"""The types of the chunk column of CoNLL-2000 and CoNLL-2003, which has the form of entity labels."""
INDEX_SAMPLE = 200
"""Number of sentences inspected to decide whether a column counts tokens."""
Sentences = list[list[tuple[str, ...]]]
"""Rows of fields, by sentence."""
_LABEL_PREFIXES = frozenset("BIESLUMW")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """Column indices from 0; ``auto`` comes from the options, ``second_label`` from the content."""

    token: int
    label: int
    auto: int | None = None
    second_label: int | None = None

    def fits(self, width: int) -> bool:
        """Whether rows of this width have all of these columns."""
        columns = (self.token, self.label) + (() if self.auto is None else (self.auto,))
        return all(0 <= column < width for column in columns)


def find_layouts(tables: Sequence[tuple[int, Sentences]], options: CorpusOptions) -> dict[int, ColumnLayout]:
    """Return the layout for every row width among these tables; widths without a label column have none.

    Parameters
    ----------
    tables
        the row width of each file, and its sentences as rows of fields.
    options
        columns set here take precedence.
    """
    layouts = {}
    for width in {width for width, _ in tables}:
        sentences = [
            sentence
            for table_width, table in tables
            if table_width == width
            for sentence in table
            if sentence
        ]
        layout = _find(width, sentences, options)
        if layout is not None:
            layouts[width] = layout
    return layouts


def _find(width: int, sentences: Sentences, options: CorpusOptions) -> ColumnLayout | None:
    given = options.columns
    columns = list(range(width))
    token = _from_start(given.token, width)
    if token is None:
        token = 1 if width > 2 and _counts_tokens(sentences) else 0
    candidates = [column for column in columns if column > token]
    labels = candidates if len(candidates) == 1 else _label_columns(candidates, sentences, options.outside)
    label = _from_start(given.label, width)
    if label is None and not labels:
        return None
    layout = ColumnLayout(token, labels[0] if label is None else label, _from_start(given.auto, width))
    others = [column for column in labels if column > layout.label]
    return replace(layout, second_label=others[0]) if others else layout


def _from_start(column: int | str | None, width: int) -> int | None:
    """Convert a column that may count from the end to an index from 0."""
    if column is None:
        return None
    # Column files have no header, so a name is invalid; -1 fits no width.
    if isinstance(column, str):
        return -1
    return column + width if column < 0 else column


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
    """Return the candidates with mostly label-like fields, without chunk columns if others remain."""
    counts = {column: Counter(row[column] for rows in sentences for row in rows) for column in candidates}
    # Unless configured, `_` does not indicate a label: CoNLL-U uses it for every empty field.
    symbols = frozenset(OUTSIDE_SYMBOLS) - {"_"} if outside is None else frozenset({outside})
    labels = [column for column in candidates if _contains_labels(counts[column], symbols)]
    entities = [column for column in labels if not _contains_chunks(counts[column])]
    return entities or labels


def _contains_labels(counts: Counter[str], outside: frozenset[str]) -> bool:
    labels = sum(count for field, count in counts.items() if field in outside or _is_prefixed(field))
    return labels > 0 and 2 * labels >= counts.total()


def _contains_chunks(counts: Counter[str]) -> bool:
    types = {field[2:] for field in counts if _is_prefixed(field)}
    return bool(types) and types <= CHUNK_TYPES


def _is_prefixed(field: str) -> bool:
    return len(field) > 2 and field[1] == "-" and field[0] in _LABEL_PREFIXES
