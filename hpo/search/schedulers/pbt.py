"""PBT, population-based training: the worst trials continue from modified copies of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.samplers.random_and_grid import draw
from hpo.search.schedulers.base import Continuation, Scheduler, SchedulerDecision
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

PERTURBATION_FACTORS = (0.8, 1.2)
RESAMPLE_PROBABILITY = 0.25
TRUNCATION = 5
"""Truncation selection: one trial in five, and at least one, is in the bottom; as many are in the top."""


@dataclass(frozen=True)
class PopulationSettings:
    """The size and the schedule of a population.

    ``population_size`` trials train side by side; ``max_trials`` counts those that replace failed ones too.
    ``perturbation_interval`` and ``max_epochs`` are in epochs. The trials ``never_stopped`` do not exploit.
    """

    population_size: int
    max_trials: int
    perturbation_interval: float
    max_epochs: float
    never_stopped: frozenset[int] = frozenset()


class PBT(Scheduler):
    """Synchronous PBT with truncation selection.

    Every trial pauses at each boundary, a multiple of ``perturbation_interval`` epochs. Once all trials of
    the population have reached a boundary or failed, the bottom fifth exploits: each of them resumes first,
    from a copy of a donor that is drawn from the top fifth, with the donor's hyperparameters explored. Then
    the others resume unchanged. Donors are therefore still at the boundary when they are copied, and the
    result does not depend on the number of workers. A paused trial needs a snapshot and no worker.

    A failed trial is replaced when the whole population is at a boundary: a new trial starts from a copy of
    one of the top fifth, explored in the same way, or from a random draw and fresh weights if no trial is
    left to copy. At most ``max_trials`` trials are started.

    A trial in ``never_stopped`` is compared and copied like any other but never exploits: it keeps its
    weights and hyperparameters to its last epoch, and the next worst trial exploits in its place.

    Jaderberg et al. 2017, Population Based Training of Neural Networks, arXiv:1711.09846, where
    *ready* is ``perturbation_interval`` epochs since the last boundary, *exploit* truncation selection with
    20 %, *explore* the factors 0.8 and 1.2 or, with probability 0.25, a new draw; N = ``population_size``.
    """

    def __init__(self, space: Space, seed: int, settings: PopulationSettings) -> None:
        self._space = space
        self._seed = seed
        self._settings = settings

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Pause a trial at its first measurement at or past a boundary, except at the last epoch."""
        resumed = trial.changes[-1].epoch if trial.changes else 0.0
        earlier = [each.epoch for each in trial.measurements if each.epoch < measurement.epoch]
        previous = max(resumed, *earlier, 0.0)
        crosses = self._boundary(measurement.epoch) > self._boundary(previous)
        pauses = crosses and measurement.epoch < self._settings.max_epochs
        return SchedulerDecision.PAUSE if pauses else SchedulerDecision.CONTINUE

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """Return a paused trial at the earliest boundary if no trial is before it; the bottom fifth first."""
        if len(trials) < self._settings.population_size or self._replaces_failed_trial(trials):
            return None
        unfinished = [trial for trial in trials if trial.is_open]
        boundary = min((self._boundary(each.position) for each in unfinished), default=0)
        paused = [
            each
            for each in unfinished
            if each.state == State.PAUSED and self._boundary(each.position) == boundary
        ]
        for trial in paused:
            if exploit := self._exploit(trial, boundary, trials):
                return exploit
        return Continuation(paused[0].number) if paused else None

    def accepts_new_trial(self, trials: Sequence[Trial], max_trials: int) -> bool:
        """Return whether the population is incomplete, or a failed trial is to be replaced now."""
        incomplete = len(trials) < min(self._settings.population_size, max_trials)
        return incomplete or self._replaces_failed_trial(trials)

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """Return an explored copy of one of the best for a trial that replaces a failed one."""
        population = _not_failed(trials)
        if len(trials) < self._settings.population_size or not population:
            return None
        boundary = self._boundary(population[0].position)
        ranked = self._ranked(boundary, [each for each in population if each.state == State.PAUSED])
        return self._copy(_top(ranked), number, boundary, trials) if ranked else None

    def checkpoint_slots(self, workers: int) -> int:
        """Return the size of the population, whose trials all keep a snapshot, or ``workers`` if larger."""
        return max(workers, self._settings.population_size)

    def _replaces_failed_trial(self, trials: Sequence[Trial]) -> bool:
        """Return whether a trial has failed, may be replaced, and the whole population is at a boundary."""
        population = _not_failed(trials)
        if len(trials) >= self._settings.max_trials or len(population) >= self._settings.population_size:
            return False
        boundaries = {self._boundary(each.position) for each in population}
        waiting = all(each.state == State.PAUSED or _is_unmeasured_copy(each) for each in population)
        return not population or (len(boundaries) == 1 and waiting)

    def _exploit(self, trial: Trial, boundary: int, trials: Sequence[Trial]) -> Continuation | None:
        """Return the copy from which a trial continues if it is in the bottom fifth at a boundary.

        Trials that failed after the boundary are ranked too, so that every call gives the same result.
        """
        ranked = self._ranked(boundary, trials)
        if len(ranked) < 2 or trial not in self._bottom(ranked):
            return None
        # If an epoch has few batches, not every boundary is measured. The copy must be at the epoch of the
        # trial's own last measurement.
        donors = [
            each for each in _top(ranked) if each.state == State.PAUSED and each.position == trial.position
        ]
        return self._copy(donors, trial.number, boundary, trials) if donors else None

    def _bottom(self, ranked: Sequence[Trial]) -> list[Trial]:
        """Return the trials that exploit: the worst fifth outside the top and ``never_stopped``."""
        size = _truncation_size(ranked)
        never_stopped = self._settings.never_stopped
        return [each for each in ranked[:-size] if each.number not in never_stopped][:size]

    def _copy(
        self, donors: Sequence[Trial], number: int, boundary: int, trials: Sequence[Trial]
    ) -> Continuation:
        """Draw a donor and explore its hyperparameters."""
        generator = np.random.default_rng(np.random.SeedSequence([self._seed, number, boundary]))
        donor = donors[int(generator.integers(len(donors)))]
        return Continuation(number, self._explore(donor, boundary, trials, generator), donor.number)

    def _explore(
        self, donor: Trial, boundary: int, trials: Sequence[Trial], generator: np.random.Generator
    ) -> Params:
        """Return the donor's hyperparameters, each perturbed or drawn again."""
        return {
            name: perturb(domain, donor.params[name], generator)
            for name, domain in self._space.parameters.items()
        }

    def _ranked(self, boundary: int, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials that were measured at a boundary, the worst result there first."""
        measured = [
            (result.sort_key, -each.number, each)
            for each in trials
            if (result := self._result_at(boundary, each))
        ]
        return [trial for *_, trial in sorted(measured, key=lambda entry: entry[:2])]

    def _result_at(self, boundary: int, trial: Trial) -> Measurement | None:
        """Return a trial's first measurement at or past a boundary."""
        past = (each for each in trial.measurements if each.finite and self._boundary(each.epoch) >= boundary)
        return next(past, None)

    def _boundary(self, epoch: float) -> int:
        """Return the number of the last boundary at or before an epoch; 0 is the start of training."""
        return int(epoch / self._settings.perturbation_interval + 1e-9)


def _not_failed(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.state != State.FAILED]


def _is_unmeasured_copy(trial: Trial) -> bool:
    return not trial.measurements and bool(trial.changes)


def _truncation_size(ranked: Sequence[Trial]) -> int:
    return max(1, len(ranked) // TRUNCATION)


def _top(ranked: Sequence[Trial]) -> Sequence[Trial]:
    return ranked[-_truncation_size(ranked) :]


def perturb(domain: Domain, value: bool | int | float | str, generator: np.random.Generator) -> object:
    """Return a neighbouring value of the domain, or with probability 0.25 any value of it.

    A number in a range is multiplied by 0.8 or 1.2 and clipped to the range; integers are rounded, so
    small ones may not change. A choice moves to the previous or next value in its list.
    """
    if generator.random() < RESAMPLE_PROBABILITY:
        return draw(domain, generator)
    direction = int(generator.integers(2))
    if domain.values is None:
        return domain.convert(domain.clip(float(value) * PERTURBATION_FACTORS[direction]))
    index = domain.values.index(value)
    neighbours = [each for each in (index - 1, index + 1) if 0 <= each < len(domain.values)]
    return domain.values[neighbours[direction % len(neighbours)]] if neighbours else value
