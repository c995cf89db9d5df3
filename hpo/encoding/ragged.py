"""Index arithmetic on ragged arrays: runs of different lengths stored end to end."""

from __future__ import annotations

import numpy as np

from hpo.corpora.spans import BoolArray, IntArray


def offsets_from_lengths(lengths: IntArray | BoolArray) -> IntArray:
    """Return where each run starts, and the end of the last one.

    *Shape:* ``lengths`` (runs,), the result (runs + 1,).

    >>> offsets_from_lengths(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def concatenate_ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return ``start, start + 1, …`` of each range, one range after the other.

    *Shape:* ``starts`` and ``lengths`` (ranges,), the result (sum of lengths,).

    >>> concatenate_ranges(np.array([7, 0, 20]), np.array([3, 0, 2])).tolist()
    [7, 8, 9, 20, 21]
    """
    offsets = offsets_from_lengths(lengths)
    numbers = np.repeat(starts - offsets[:-1], lengths)
    numbers += np.arange(offsets[-1])
    return numbers
