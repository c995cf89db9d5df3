"""Packing: places several windows in each row of a batch, so that little of it is padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from hpo.corpora.spans import IntArray

ROW_SHARES = (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3)
"""Numbers of rows to try, as shares of the number needed if rows are as wide as the longest window."""
SLACKS = (1.0, 1.02, 1.05)
"""Widths that are tried, relative to an even distribution: windows are not cut to fill a row."""
QUADRATIC_WIDTH = 1000
"""A row of this width is counted as twice its area, because of the quadratic cost of attention."""


@dataclass(frozen=True)
class PackingPlan:
    """The places of windows in a batch of ``height`` rows and ``width`` columns.

    *Shape:* ``windows``, ``rows`` and ``columns`` (windows,): each window, its row, and the column of its
    first subtoken. Windows that are not ``labelled`` only fill an otherwise empty batch.
    """

    windows: IntArray
    rows: IntArray
    columns: IntArray
    height: int
    width: int
    labelled: bool = True

    @classmethod
    def one_window_per_row(cls, windows: IntArray, lengths: IntArray, labelled: bool = True) -> PackingPlan:
        """Place one window in each row; *shape:* ``lengths``, those of these windows, (windows,)."""
        rows, columns = np.arange(len(windows)), np.zeros(len(windows), np.int64)
        return cls(windows, rows, columns, len(windows), int(lengths.max()), labelled)


def pack_batches(batches: IntArray, lengths: IntArray, *, narrow: bool = False) -> Iterator[PackingPlan]:
    """Plan each batch with little padding, by best-fit decreasing for several numbers and widths of rows.

    All batches are planned together: the longest window of each, then the second longest of each, and so on.
    ``narrow`` keeps rows hardly wider than the longest window, for batches that are split to save memory.

    *Shape:* ``batches`` (batches, windows), each batch's longest window first, padded with -1; ``lengths``
    those of all windows.

    Windows of 5, 3 and 2 subtokens fit into two rows of five, without padding:

    >>> (plan,) = pack_batches(np.array([[0, 1, 2]]), np.array([5, 3, 2]))
    >>> plan.windows.tolist(), plan.rows.tolist(), plan.columns.tolist(), plan.height, plan.width
    ([0, 1, 2], [0, 1, 1], [0, 0, 3], 2, 5)
    """
    sizes = np.where(batches < 0, 0, lengths[batches])
    longest, total = sizes[:, 0], sizes.sum(axis=1)
    best_cost = np.full(len(batches), np.inf)
    rows, columns = np.zeros_like(sizes), np.zeros_like(sizes)
    height, width = np.zeros_like(longest), np.zeros_like(longest)
    for share, slack in product(ROW_SHARES[:1] if narrow else ROW_SHARES, SLACKS):
        row_count = np.ceil(np.ceil(total / longest) * share)
        capacity = np.maximum(longest, np.ceil(total * slack / row_count))
        tried_rows, tried_columns, filled = _best_fit(sizes, capacity)
        tried_height, tried_width = (filled > 0).sum(axis=1), filled.max(axis=1)
        cost = tried_height * tried_width * (1 + tried_width / QUADRATIC_WIDTH)
        better = cost < best_cost
        best_cost[better], height[better], width[better] = (
            cost[better],
            tried_height[better],
            tried_width[better],
        )
        rows[better], columns[better] = tried_rows[better], tried_columns[better]
    for number, windows in enumerate(batches):
        real = windows >= 0
        yield PackingPlan(
            windows[real], rows[number, real], columns[number, real], int(height[number]), int(width[number])
        )


def _best_fit(sizes: IntArray, capacity: npt.NDArray[np.floating]) -> tuple[IntArray, IntArray, IntArray]:
    """Put each window into the fullest row that has space for it.

    Returns the row and the column of each window, and how full each row is; *shape:* that of ``sizes``, whose
    windows are sorted by decreasing length. ``capacity`` (batches,) is the width of the rows.

    >>> [each.tolist() for each in _best_fit(np.array([[5, 3, 2]]), np.array([6.0]))]
    [[[0, 1, 1]], [[0, 0, 3]], [[5, 5, 0]]]
    """
    filled = np.zeros_like(sizes)
    rows, columns = np.zeros_like(sizes), np.zeros_like(sizes)
    batches = np.arange(len(sizes))
    for place in range(sizes.shape[1]):
        size = sizes[:, place]
        fits = filled + size[:, None] <= capacity[:, None]
        chosen = np.where(fits, filled, -1).argmax(axis=1)
        rows[:, place], columns[:, place] = chosen, filled[batches, chosen]
        filled[batches, chosen] += size
    return rows, columns, filled
