"""Rungs: the epochs at which trials are compared, and how a trial stands there."""

from __future__ import annotations

from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


def rung_levels(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """The epochs at which HyperBand and BOHB compare trials, the last of which is a trial's last.

    With r = ``grace_epochs``, eta = ``reduction_factor`` and R = ``max_epochs`` they are r * eta^k for
    k = 0, 1 … s_max - 1, and then R, where s_max is the largest number with r * eta^s_max <= R. The
    papers count down from R instead, R * eta^-k, which are the same where R is r times a power of eta,
    and no whole epochs, at which nothing is measured, where it is not.
    """
    levels, level = [], grace_epochs
    while level * reduction_factor <= max_epochs:
        levels.append(level)
        level *= reduction_factor
    return (*levels, max_epochs)


def result_at_rung(trial: Trial, level: float) -> Measurement | None:
    """What a trial counts with at a level: its first measurement there or past it, None before that.

    A trial that completed earlier, since it has fewer epochs to train, stands on all later levels with
    its last measurement.
    """
    for measurement in trial.measurements:
        if measurement.epoch >= level:
            return measurement
    return trial.measurements[-1] if trial.state == State.COMPLETE and trial.measurements else None
