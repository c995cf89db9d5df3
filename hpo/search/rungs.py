"""Rungs of successive halving: the epochs at which trials are compared, and a trial's result at each."""

from __future__ import annotations

from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


def rung_levels(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Return the epochs at which HyperBand and BOHB compare trials; the last one is ``max_epochs``.

    With r = ``grace_epochs``, eta = ``reduction_factor`` and R = ``max_epochs`` they are r * eta^k for
    k = 0, 1 … s_max - 1, and then R, where s_max is the largest number with r * eta^s_max <= R. The papers
    count down from R instead, R * eta^-k. Both agree if R is r times a power of eta; otherwise the papers'
    levels are fractions of an epoch, at which no measurement exists. Example: (1, 3, 10) gives 1, 3, 10.

    `hpo.search.schedulers.asha` computes its own rungs, because ASHA compares at every r * eta^k below R: at
    1, 3 and 9 in the example. HyperBand has s_max + 1 levels, the last of which is R, so 10 replaces 9.
    """
    levels, level = [], grace_epochs
    while level * reduction_factor <= max_epochs:
        levels.append(level)
        level *= reduction_factor
    return (*levels, max_epochs)


def result_at_rung(trial: Trial, level: float) -> Measurement | None:
    """Return a trial's first measurement at or after a level, or None if it has not reached it.

    A trial that completed before the level, because its ``epochs`` is smaller, counts with its last
    measurement.
    """
    for measurement in trial.measurements:
        if measurement.epoch >= level:
            return measurement
    return trial.measurements[-1] if trial.state == State.COMPLETE and trial.measurements else None
