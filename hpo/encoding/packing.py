"""Windows laid one after another on the lines of a batch, so that little of it is padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from hpo.corpora.spans import IntArray

SHARES = (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3)
"""What numbers of lines are tried: shares of what a batch takes if they are as wide as its longest row."""
SLACKS = (1.0, 1.02, 1.05)
"""How much wider than its share of the batch a line may be, since rows are not cut to fill it."""
LONG_LINE = 1000
"""A line so wide costs twice its area: what attention adds to a small model's arithmetic."""


@dataclass(frozen=True)
class PackingPlan:
    """Where rows stand in a batch of ``height`` lines of ``width`` subtokens.

    *Shape:* ``rows``, ``lines`` and ``columns``, the place of each row's start, (rows,). Windows that
    are not ``labelled`` only fill a batch that would have none.
    """

    rows: IntArray
    lines: IntArray
    columns: IntArray
    height: int
    width: int
    labelled: bool = True

    @classmethod
    def one_window_per_row(cls, rows: IntArray, lengths: IntArray, labelled: bool = True) -> PackingPlan:
        """Windows with a row each; *shape:* ``lengths``, theirs, (rows,)."""
        lines, columns = np.arange(len(rows)), np.zeros(len(rows), np.int64)
        return cls(rows, lines, columns, len(rows), int(lengths.max()), labelled)


def pack(batches: IntArray, lengths: IntArray, *, narrow: bool = False) -> Iterator[PackingPlan]:
    """Each batch's rows on as little room as is soon found, by the best fit of the longest first.

    The rows of all batches are placed together, each batch's longest, then its second, and so on. ``narrow``
    lines are hardly wider than the longest row, for a batch that is taken in parts to save memory.

    *Shape:* ``batches`` (batches, rows), each batch's longest row first and -1 where it has no more;
    ``lengths`` those of all rows.
    """
    sizes = np.where(batches < 0, 0, lengths[batches])
    longest, whole = sizes[:, 0], sizes.sum(axis=1)
    cost = np.full(len(batches), np.inf)
    lines, columns = np.zeros_like(sizes), np.zeros_like(sizes)
    height, width = np.zeros_like(longest), np.zeros_like(longest)
    for share, slack in product(SHARES[:1] if narrow else SHARES, SLACKS):
        number = np.ceil(np.ceil(whole / longest) * share)
        room = np.maximum(longest, np.ceil(whole * slack / number))
        tried_lines, tried_columns, filled = _fill(sizes, room)
        taken, widest = (filled > 0).sum(axis=1), filled.max(axis=1)
        price = taken * widest * (1 + widest / LONG_LINE)
        better = price < cost
        cost[better], height[better], width[better] = price[better], taken[better], widest[better]
        lines[better], columns[better] = tried_lines[better], tried_columns[better]
    for place, rows in enumerate(batches):
        held = rows >= 0
        yield PackingPlan(
            rows[held], lines[place, held], columns[place, held], int(height[place]), int(width[place])
        )


def _fill(sizes: IntArray, room: npt.NDArray[np.floating]) -> tuple[IntArray, IntArray, IntArray]:
    """Line and column of each row, and how full each line is; *shape:* as ``sizes``, longest first."""
    filled = np.zeros_like(sizes)
    lines, columns = np.zeros_like(sizes), np.zeros_like(sizes)
    every = np.arange(len(sizes))
    for place in range(sizes.shape[1]):
        own = sizes[:, place]
        fits = filled + own[:, None] <= room[:, None]
        chosen = np.where(fits, filled, -1).argmax(axis=1)
        lines[:, place], columns[:, place] = chosen, filled[every, chosen]
        filled[every, chosen] += own
    return lines, columns, filled
