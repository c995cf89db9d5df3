"""HyperBand: brackets of successive halving, from many trials cut early to few that all run to the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpo.search.rungs import result_at_rung, rung_levels
from hpo.search.schedulers.base import Continuation, NoStopping, SchedulerDecision
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


@dataclass(frozen=True)
class Bracket:
    """Trials that are compared with each other: their ``numbers``, and the epochs at which they wait."""

    numbers: range
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Decision:
    """What came of a rung that all have reached: who may go on, the best first, and who may not.

    ``until`` is the epoch at which those who go on wait again, infinite where they run to their end.
    """

    level: float
    until: float
    winners: list[Trial]
    losers: list[Trial]


class HyperBand(NoStopping):
    """Synchronous successive halving in brackets, with time in epochs.

    Bracket s = s_max, s_max - 1 … 0, and s_max again, takes the next n = ceil((s_max + 1) / (s + 1) *
    eta^s) trials. They wait at the s levels that come before the last one of `rung_levels`; once all that
    entered a rung have reached it or failed, its best 1 / eta go on (rounded down, but at least one
    unless all have failed), and the others end. Trials are ordered by their measurement at that rung,
    F1 first and dev loss where it ties, then by their numbers. A failed trial is the worst, and takes up
    its place in the count. The last bracket closes with as many trials as the study has left for it.

    New trials start only where no waiting one may go on, in the next bracket where the one before is
    full: so do several workers share the search in Falkner et al. 2018, arXiv:1807.01774, section 4.2.

    Nothing is remembered: all follows from the trials' numbers, states and measurements.

    Li et al. 2018, Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18,
    algorithm 1, where r_min = ``grace_epochs``, eta = ``reduction_factor`` and R = ``max_epochs``;
    ``budget`` is the study's number of trials.
    """

    def __init__(self, grace_epochs: int, reduction_factor: int, max_epochs: int, budget: int) -> None:
        self._eta = reduction_factor
        self._max_epochs = max_epochs
        self._budget = budget
        self._levels = rung_levels(grace_epochs, reduction_factor, max_epochs)
        most = len(self._levels) - 1
        self._sizes = {s: -(-(most + 1) * reduction_factor**s // (s + 1)) for s in range(most, -1, -1)}

    def brackets(self, count: int) -> Iterator[Bracket]:
        """The brackets that ``count`` trials fill, the last of them maybe in part."""
        start = 0
        while True:
            for s, size in self._sizes.items():
                if start >= count:
                    return
                yield Bracket(range(start, min(start + size, self._budget)), self._levels[-1 - s : -1])
                start += size

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Have a trial wait at a rung, unless it has passed there: all others are in, or were before.

        A trial that a restart took past its rung before it was told to wait does so at its next measurement.
        """
        if measurement.epoch >= trial.params.get("epochs", self._max_epochs):
            return SchedulerDecision.CONTINUE
        *_, bracket = self.brackets(trial.number + 1)
        reached = {level for level in bracket.levels if measurement.epoch >= level}
        for decision in self._decisions(bracket, trials) if reached else ():
            if trial in decision.winners:
                reached.discard(decision.level)
        return SchedulerDecision.PAUSE if reached else SchedulerDecision.CONTINUE

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """The waiting trials of decided rungs that are not among the best."""
        return [
            trial.number
            for bracket in self.brackets(len(trials))
            for decision in self._decisions(bracket, trials)
            for trial in decision.losers
            if trial.state == State.PAUSED
        ]

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """The best of those that may go on, of the earliest bracket that has any."""
        for bracket in self.brackets(len(trials)):
            for decision in self._decisions(bracket, trials):
                for trial in decision.winners:
                    if trial.state == State.PAUSED and result_at_rung(trial, decision.until) is None:
                        return Continuation(trial.number)
        return None

    def _decisions(self, bracket: Bracket, trials: Sequence[Trial]) -> Iterator[Decision]:
        """The rungs of a bracket that all have reached, from the lowest on."""
        if bracket.numbers.stop > len(trials):
            return
        entered = [trials[number] for number in bracket.numbers]
        for level, until in pairwise((*bracket.levels, math.inf)):
            if not all(trial.state == State.FAILED or result_at_rung(trial, level) for trial in entered):
                return
            winners = self._best(entered, level, until)
            yield Decision(level, until, winners, [trial for trial in entered if trial not in winners])
            entered = winners

    def _best(self, entered: Sequence[Trial], level: float, until: float) -> list[Trial]:
        ranks = []
        for trial in entered:
            # One that has ended here has lost, whatever those that trained anew after a restart measure now.
            lost = trial.state == State.STOPPED and result_at_rung(trial, until) is None
            measurement = result_at_rung(trial, level)
            if measurement is not None and not lost:
                ranks.append((measurement.sort_key, -trial.number, trial))
        ranks.sort(key=lambda entry: entry[:2], reverse=True)
        return [trial for *_, trial in ranks[: max(1, len(entered) // self._eta)]]
