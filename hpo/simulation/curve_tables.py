"""Replay tables: the learning curves of many random configurations, recorded once on a real corpus.

A table holds numbers only, as JSON lines: the first says what was recorded, each of the others is a
configuration with its curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.config.search_space import Params, Space
from hpo.errors import Issue, UserError
from hpo.storage.journal import read_lines


@dataclass(frozen=True)
class Curve:
    """One configuration and what it measured, of equal lengths; shorter than others where it diverged.

    ``epoch`` counts passes over the training data, ``f1`` is micro F1 in [0, 1] on dev, ``loss`` the dev
    cross entropy in nats, ``seconds`` run from the start of the training.
    """

    params: Params
    seed: int
    epoch: tuple[float, ...]
    f1: tuple[float, ...]
    loss: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """Curves of random configurations of a space, and the conditions that they were recorded under."""

    name: str
    conditions: dict[str, Any]
    space: Space
    curves: tuple[Curve, ...]

    @property
    def epochs(self) -> int:
        """How many epochs a whole curve has."""
        return int(self.conditions["epochs"])


def read_table(path: Path) -> Table:
    """Read a table.

    Raises
    ------
    UserError
        if there is none, or it holds no curve.
    """
    lines = list(read_lines(path))
    if len(lines) < 2:
        raise UserError(
            Issue(str(path), "is no replay table", None, "python -m benchmarks search records one")
        )
    conditions, *rows = lines
    columns = ("epoch", "f1", "loss", "seconds")
    curves = tuple(
        Curve(row["params"], row["seed"], **{name: tuple(row[name]) for name in columns}) for row in rows
    )
    return Table(path.stem, conditions, Space.model_validate(conditions["space"]), curves)
