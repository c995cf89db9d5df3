"""Population-based training: members that do badly go on from a copy of one that does well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpo.config.search_space import Parameter, Params, Space
from hpo.search.samplers.random_and_grid import draw
from hpo.search.schedulers.base import Continuation, NoStopping, SchedulerDecision
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

FACTORS = (0.8, 1.2)
RESAMPLE = 0.25
ONE_IN = 5
"""One member in so many, and at least one, loses at a boundary; as many are worth copying."""


class PBT(NoStopping):
    """PBT with truncation selection, its members in step.

    A member pauses at every boundary, a multiple of ``perturb_every`` epochs. When all members have
    come to one, or failed, those of the worst fifth go on first: each from a copy of a member drawn
    from the best fifth, with that one's hyperparameters explored. Then the others go on as they are. So
    donors
    still stand at the boundary when they are copied, and what is decided does not depend on how many
    members train side by side; those that wait cost a snapshot and no worker.

    A failed member's place is taken when the population next stands at a boundary, by a new trial that
    begins as a copy of one of the best fifth, explored as a loser's; one of random draws and fresh
    weights begins only where nobody is left to copy. That goes on until ``trials`` have been started.

    A member of ``never_stopped`` is compared and copied like any, and never goes on from a copy itself: it
    keeps
    its hyperparameters and its weights to its last epoch, and the next worst loses in its place.

    Jaderberg et al. 2017, Population Based Training of Neural Networks, arXiv:1711.09846, where
    *ready* is ``perturb_every`` epochs since the last boundary, *exploit* truncation selection with
    20 %, *explore* the factors 0.8 and 1.2 or, with probability 0.25, a new draw; N = ``population``.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        population: int,
        trials: int,
        perturb_every: float,
        max_epochs: float,
        never_stopped: frozenset[int] = frozenset(),
    ) -> None:
        self._space = space
        self._seed = seed
        self._population = population
        self._trials = trials
        self._perturb_every = perturb_every
        self._max_epochs = max_epochs
        self._never_stopped = never_stopped

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Pause a member at its first measurement on or past a boundary; at the last epoch it completes."""
        decided = trial.changes[-1].epoch if trial.changes else 0.0
        earlier = [each.epoch for each in trial.measurements if each.epoch < measurement.epoch]
        before = max(decided, *earlier, 0.0)
        crosses = self._stage(measurement.epoch) > self._stage(before)
        return (
            SchedulerDecision.PAUSE
            if crosses and measurement.epoch < self._max_epochs
            else SchedulerDecision.CONTINUE
        )

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """The member with the least progress, once nobody runs who has less; losers before others."""
        if len(trials) < self._population or self._place_to_fill(trials):
            return None
        members = [trial for trial in trials if trial.is_open]
        stage = min((self._stage(each.position) for each in members), default=0)
        waiting = [
            each for each in members if each.state == State.PAUSED and self._stage(each.position) == stage
        ]
        for member in waiting:
            if exploit := self._exploit(member, stage, trials):
                return exploit
        return Continuation(waiting[0].number) if waiting else None

    def accepts_new_trial(self, trials: Sequence[Trial], budget: int) -> bool:
        """Until the population is complete; after that, where a failed member's place is to be filled."""
        return len(trials) < min(self._population, budget) or self._place_to_fill(trials)

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """A copy of one of the best, explored, where the population stands at a boundary."""
        members = _live(trials)
        if len(trials) < self._population or not members:
            return None
        stage = self._stage(members[0].position)
        standings = self._standings(stage, [each for each in members if each.state == State.PAUSED])
        return self._copy_one(standings[-_share(standings) :], number, stage, trials) if standings else None

    def _place_to_fill(self, trials: Sequence[Trial]) -> bool:
        """Whether a member has failed, another may be started in its place, and now is the time."""
        members = _live(trials)
        if len(trials) >= self._trials or len(members) >= self._population:
            return False
        stages = {self._stage(each.position) for each in members}
        in_step = all(each.state == State.PAUSED or _is_newborn(each) for each in members)
        return not members or (len(stages) == 1 and in_step)

    def _exploit(self, member: Trial, stage: int, trials: Sequence[Trial]) -> Continuation | None:
        """How a member goes on if it is among the losers of a boundary.

        All that were measured there count, also those that have failed since, so that the outcome is
        the same whenever it is asked for.
        """
        standings = self._standings(stage, trials)
        share = _share(standings)
        if len(standings) < 2 or member not in self._losers(standings):
            return None
        donors = [
            each
            for each in standings[-share:]
            # A split of few batches is not measured at every boundary, and the copy must stand where
            # the member's own measurements end.
            if each.state == State.PAUSED and each.position == member.position
        ]
        return self._copy_one(donors, member.number, stage, trials) if donors else None

    def _losers(self, standings: Sequence[Trial]) -> list[Trial]:
        """Those who go on from a copy: the worst that are not spared, and none of whom others copy."""
        share = _share(standings)
        return [each for each in standings[:-share] if each.number not in self._never_stopped][:share]

    def _copy_one(
        self, donors: Sequence[Trial], number: int, stage: int, trials: Sequence[Trial]
    ) -> Continuation:
        generator = np.random.default_rng(np.random.SeedSequence([self._seed, number, stage]))
        donor = donors[int(generator.integers(len(donors)))]
        return Continuation(number, self._explore(donor, stage, trials, generator), donor.number)

    def _explore(
        self, donor: Trial, stage: int, trials: Sequence[Trial], generator: np.random.Generator
    ) -> Params:
        """The donor's hyperparameters, each perturbed or drawn anew."""
        return {
            name: perturb(domain, donor.params[name], generator)
            for name, domain in self._space.parameters.items()
        }

    def _standings(self, stage: int, trials: Sequence[Trial]) -> list[Trial]:
        """The trials that were measured at a boundary, by what they measured there, the worst first."""
        measured = [(at.sort_key, -each.number, each) for each in trials if (at := self._at(stage, each))]
        return [trial for *_, trial in sorted(measured, key=lambda entry: entry[:2])]

    def _at(self, stage: int, trial: Trial) -> Measurement | None:
        """A trial's first measurement on or past a boundary."""
        past = (each for each in trial.measurements if each.finite and self._stage(each.epoch) >= stage)
        return next(past, None)

    def _stage(self, epoch: float) -> int:
        """How many boundaries lie on or before an epoch."""
        return int(epoch / self._perturb_every + 1e-9)


def _live(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.state != State.FAILED]


def _is_newborn(trial: Trial) -> bool:
    return not trial.measurements and bool(trial.changes)


def _share(standings: Sequence[Trial]) -> int:
    return max(1, len(standings) // ONE_IN)


def perturb(domain: Parameter, value: bool | int | float | str, generator: np.random.Generator) -> object:
    """A value near another of the same domain, or with a probability of 0.25 any of the domain.

    Numbers of a range are multiplied by 0.8 or 1.2 and held inside the range, whole ones rounded, so
    that small whole numbers may stay as they are. A value of a choice moves to the one before or after
    it in the list.
    """
    if generator.random() < RESAMPLE:
        return draw(domain, generator)
    direction = int(generator.integers(2))
    if domain.values is None:
        low, high = domain.bounds
        return domain.convert(min(high, max(low, float(value) * FACTORS[direction])))
    place = domain.values.index(value)
    neighbours = [each for each in (place - 1, place + 1) if 0 <= each < len(domain.values)]
    return domain.values[neighbours[direction % len(neighbours)]] if neighbours else value
