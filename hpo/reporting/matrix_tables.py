"""The result matrix as markdown tables: micro F1 by case variant, and the winning hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable

from hpo.corpora.variants import VARIANTS
from hpo.evaluation.matrix import HyperparameterValue, MatrixRow, sort_rows
from hpo.reporting.tables import MISSING, format_f1, format_name, render_table

COLUMNS = (
    "learning_rate",
    "weight_decay",
    "warmup_ratio",
    "attention_dropout",
    "hidden_dropout",
    "batch_size",
)
"""The hyperparameters that always have a column; others follow if a row has them."""

_IDENTITY = ("Tag Family", "Trained on", "HPO Alg")
_MIN_DECIMAL = 1e-6
"""Smaller values use scientific notation: nine decimals would leave fewer than three digits."""


def render_matrix(rows: Iterable[MatrixRow], split: str) -> str:
    """Return the micro F1 of every row on every case variant of a split, with five decimals."""
    return render_table(
        (*_IDENTITY, *VARIANTS),
        [
            (*_identity(row), *(format_f1(row.f1(split, variant)) for variant in VARIANTS))
            for row in sort_rows(rows)
        ],
    )


def render_hyperparameters(rows: Iterable[MatrixRow]) -> str:
    """Return the winning configuration of every row: `COLUMNS`, then all other searched hyperparameters."""
    ordered = sort_rows(rows)
    others = [name for row in ordered for name in row.hyperparameters if name not in COLUMNS]
    names = (*COLUMNS, *dict.fromkeys(others))
    return render_table(
        (*_IDENTITY, *map(format_name, names)),
        [
            (*_identity(row), *(_format_exact(name, row.hyperparameters.get(name)) for name in names))
            for row in ordered
        ],
    )


def _identity(row: MatrixRow) -> tuple[str, str, str]:
    return row.tag_family, row.trained_on, row.algorithm


def _format_exact(name: str, value: HyperparameterValue) -> str:
    """Format a value with nine decimals, as published result tables do; learning rates as 4.462279e-05."""
    if value is None:
        return MISSING
    if not isinstance(value, float):
        return str(value)
    if name.endswith("learning_rate") or 0 < abs(value) < _MIN_DECIMAL:
        return f"{value:.6e}"
    return f"{value:.9f}".rstrip("0").rstrip(".")
