"""Curve tables: learning curves of random configurations, recorded once on a real corpus.

A table is a file of JSON lines. The first line holds the recording conditions, each other line one
configuration with its curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.renamed_keys import translate_params, translate_space
from hpo.config.search_space import Params, Space
from hpo.errors import Issue, UserError
from hpo.storage.journal import read_lines


@dataclass(frozen=True)
class Curve:
    """One configuration and its measurements; a configuration that diverged has fewer of them.

    ``epoch`` counts passes over the training data, ``f1`` is micro F1 on dev in [0, 1], ``loss`` is the dev
    cross entropy in nats, and ``seconds`` is the time since the start of the training. *Shapes:* all four
    are (evaluations).
    """

    params: Params
    seed: int
    epoch: tuple[float, ...]
    f1: tuple[float, ...]
    loss: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class CurveTable:
    """Learning curves of random configurations of a space, and the conditions of the recording."""

    name: str
    conditions: dict[str, Any]
    space: Space
    curves: tuple[Curve, ...]

    @property
    def epochs(self) -> int:
        """Number of epochs of a complete curve."""
        return int(self.conditions["epochs"])


def read_curve_table(path: Path) -> CurveTable:
    """Read a curve table.

    Raises
    ------
    UserError
        If the file does not exist or holds no curve.
    """
    lines = list(read_lines(path))
    if len(lines) < 2:
        raise UserError(
            Issue(str(path), "not a curve table", None, "record one with python -m benchmarks search")
        )
    conditions, *rows = lines
    columns = ("epoch", "f1", "loss", "seconds")
    curves = tuple(
        Curve(translate_params(row["params"]), row["seed"], **{name: tuple(row[name]) for name in columns})
        for row in rows
    )
    return CurveTable(
        path.stem, conditions, Space.model_validate(translate_space(conditions["space"])), curves
    )
