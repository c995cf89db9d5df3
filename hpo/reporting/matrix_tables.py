"""The result matrix as markdown tables, padded so that they read well as plain text too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpo.corpora.variants import VARIANTS
from hpo.evaluation.matrix import MatrixRow, Value, sort_rows

NOT_RUN = "-"
COLUMNS = (
    "learning_rate",
    "weight_decay",
    "warmup_ratio",
    "attention_dropout",
    "hidden_dropout",
    "batch_size",
)
"""The hyperparameters that always have a column; others follow where a row has them."""

_IDENTITY = ("Tag Family", "Trained on", "HPO Alg")
_LEAST_DECIMAL = 1e-6
"""Below this, nine decimals would leave fewer than three digits, or show 0 for what is not 0."""


def render_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; every row has one cell for each heading."""
    lines = [[_escaped(cell) for cell in line] for line in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "".join(f"| {line} |\n" for line in padded)


def render_matrix(rows: Iterable[MatrixRow], split: str) -> str:
    """The micro F1 of every row on every case variant of a split, with five decimals."""
    return render_table(
        (*_IDENTITY, *VARIANTS),
        [
            (*_identity(row), *(_score(row.f1(split, variant)) for variant in VARIANTS))
            for row in sort_rows(rows)
        ],
    )


def render_hyperparameters(rows: Iterable[MatrixRow]) -> str:
    """The winning configuration of every row: `COLUMNS`, then whatever else was searched."""
    ordered = sort_rows(rows)
    further = [name for row in ordered for name in row.hyperparameters if name not in COLUMNS]
    names = (*COLUMNS, *dict.fromkeys(further))
    return render_table(
        (*_IDENTITY, *(name.replace("_", " ") for name in names)),
        [
            (*_identity(row), *(_hyperparameter(name, row.hyperparameters.get(name)) for name in names))
            for row in ordered
        ],
    )


def _identity(row: MatrixRow) -> tuple[str, str, str]:
    return row.tag_family, row.trained_on, row.algorithm


def _score(f1: float | None) -> str:
    return NOT_RUN if f1 is None else f"{f1:.5f}"


def _hyperparameter(name: str, value: Value) -> str:
    if value is None:
        return NOT_RUN
    if not isinstance(value, float):
        return str(value)
    if name.endswith("learning_rate") or 0 < abs(value) < _LEAST_DECIMAL:
        return f"{value:.6e}"
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
