"""HyperBand: brackets of successive halving, from many trials stopped early to few that run to the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpo.search.rungs import result_at_rung, rung_levels
from hpo.search.schedulers.base import Continuation, Scheduler, SchedulerDecision
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


@dataclass(frozen=True)
class Bracket:
    """Trials that are compared with each other: their ``numbers``, and the epochs at which they pause."""

    numbers: range
    levels: tuple[int, ...]


@dataclass(frozen=True)
class CompletedRung:
    """The outcome of a rung that all its trials have reached; ``promoted`` has the best trial first.

    ``next_level`` is the epoch of the next rung, infinite after the last one.
    """

    level: float
    next_level: float
    promoted: list[Trial]
    eliminated: list[Trial]


class HyperBand(Scheduler):
    """Synchronous successive halving in brackets, with time in epochs.

    Bracket s = s_max, s_max - 1 … 0, then s_max again, takes the next n = ceil((s_max + 1) / (s + 1) * eta^s)
    trials. They pause at the s levels before the last one of `rung_levels`. Once every trial of a rung
    has reached it or failed, the best 1 / eta are promoted (rounded down, but at least one unless all have
    failed), and the others stop. Trials are ordered by F1 at that rung, then by dev loss, then by number. A
    failed trial ranks last and still counts. The last bracket has as many trials as the study has left.

    A new trial starts only when no paused one can resume, and in the next bracket if the current one is
    full. Falkner et al. 2018, arXiv:1807.01774, section 4.2, parallelize HyperBand in the same way.

    The scheduler has no state: every decision follows from the trials' numbers, states and measurements.

    Li et al. 2018, Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18,
    algorithm 1, where r_min = ``grace_epochs``, eta = ``reduction_factor`` and R = ``max_epochs``;
    ``max_trials`` is the study's number of trials.
    """

    def __init__(self, grace_epochs: int, reduction_factor: int, max_epochs: int, max_trials: int) -> None:
        self._eta = reduction_factor
        self._max_epochs = max_epochs
        self._max_trials = max_trials
        self._levels = rung_levels(grace_epochs, reduction_factor, max_epochs)
        s_max = len(self._levels) - 1
        self._sizes = {s: -(-(s_max + 1) * reduction_factor**s // (s + 1)) for s in range(s_max, -1, -1)}

    def brackets(self, count: int) -> Iterator[Bracket]:
        """Yield the brackets of the first ``count`` trials; the last one may be incomplete."""
        start = 0
        while True:
            for s, size in self._sizes.items():
                if start >= count:
                    return
                yield Bracket(range(start, min(start + size, self._max_trials)), self._levels[-1 - s : -1])
                start += size

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Pause a trial at a rung, unless the rung is complete and promotes it.

        If the driver died between a measurement at a rung and the pause, the trial pauses at its next
        measurement.
        """
        if measurement.epoch >= trial.params.get("epochs", self._max_epochs):
            return SchedulerDecision.CONTINUE
        *_, bracket = self.brackets(trial.number + 1)
        unpassed = {level for level in bracket.levels if measurement.epoch >= level}
        for rung in self._completed_rungs(bracket, trials) if unpassed else ():
            if trial in rung.promoted:
                unpassed.discard(rung.level)
        return SchedulerDecision.PAUSE if unpassed else SchedulerDecision.CONTINUE

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """Return the paused trials that a completed rung has eliminated."""
        return [
            trial.number
            for bracket in self.brackets(len(trials))
            for rung in self._completed_rungs(bracket, trials)
            for trial in rung.eliminated
            if trial.state == State.PAUSED
        ]

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """Return the best promoted trial that is still paused, of the earliest bracket that has one."""
        for bracket in self.brackets(len(trials)):
            for rung in self._completed_rungs(bracket, trials):
                for trial in rung.promoted:
                    if trial.state == State.PAUSED and result_at_rung(trial, rung.next_level) is None:
                        return Continuation(trial.number)
        return None

    def checkpoint_slots(self, workers: int) -> int:
        """Return the study's number of trials, because all of them may be paused at once."""
        return self._max_trials

    def _completed_rungs(self, bracket: Bracket, trials: Sequence[Trial]) -> Iterator[CompletedRung]:
        """Yield the rungs of a bracket that every trial has reached, the lowest first."""
        if bracket.numbers.stop > len(trials):
            return
        entered = [trials[number] for number in bracket.numbers]
        for level, next_level in pairwise((*bracket.levels, math.inf)):
            if not all(trial.state == State.FAILED or result_at_rung(trial, level) for trial in entered):
                return
            promoted = self._best(entered, level, next_level)
            eliminated = [trial for trial in entered if trial not in promoted]
            yield CompletedRung(level, next_level, promoted, eliminated)
            entered = promoted

    def _best(self, entered: Sequence[Trial], level: float, next_level: float) -> list[Trial]:
        keys = []
        for trial in entered:
            # A trial stopped here stays eliminated, even if trials retrained after a restart now rank lower.
            eliminated = trial.state == State.STOPPED and result_at_rung(trial, next_level) is None
            measurement = result_at_rung(trial, level)
            if measurement is not None and not eliminated:
                keys.append((measurement.sort_key, -trial.number, trial))
        keys.sort(key=lambda entry: entry[:2], reverse=True)
        return [trial for *_, trial in keys[: max(1, len(entered) // self._eta)]]
