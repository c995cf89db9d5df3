"""Markdown tables, and how scores and hyperparameters are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSING = "-"
"""A cell that has no value, for example because a model was not scored on it."""


def render_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a markdown table with padded columns; every row has one cell for each heading."""
    lines = [[_escaped(cell) for cell in line] for line in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "".join(f"| {line} |\n" for line in padded)


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def format_f1(f1: float | None) -> str:
    """Return a score with five decimals, or `MISSING` for None."""
    return MISSING if f1 is None else f"{f1:.5f}"


def format_gain(before: float | None, after: float | None) -> str:
    """Return ``after - before`` with a sign and five decimals, or `MISSING` if one is None."""
    return MISSING if before is None or after is None else f"{after - before:+.5f}"


def format_percent(score: float | None) -> str:
    """Return a score in [0, 1] in percent with two decimals, or `MISSING` for None."""
    return MISSING if score is None else f"{100 * score:.2f}"


def format_value(value: object, digits: int = 3) -> str:
    """Return the value of a hyperparameter, floats with ``digits`` significant digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def format_name(hyperparameter: str) -> str:
    """Return a hyperparameter's name as words: ``batch_size`` is "batch size"."""
    return hyperparameter.replace("_", " ")


def format_params(params: Mapping[str, Any]) -> str:
    """Return a configuration in one line: "learning rate 0.001, batch size 16"."""
    return ", ".join(f"{format_name(name)} {format_value(value)}" for name, value in params.items())
