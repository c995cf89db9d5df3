"""Population-based bandits: PBT whose continuous hyperparameters are chosen by a model of what they have
gained."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.config.search_space import Parameter, Params
from hpo.search.hyperparameter_schedule import params_at
from hpo.search.schedulers.pbt import PBT
from hpo.search.trial import ParamsChange, Trial

Floats = NDArray[np.float64]

LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
FORGETTING = (0.0, 0.02, 0.1, 0.3)
NOISES = (1e-3, 1e-2, 1e-1, 0.5)
"""Where the kernel's settings are looked for: by marginal likelihood, on this grid."""
MOST_OBSERVATIONS = 300
CANDIDATES = 1000


class PB2(PBT):
    """PBT with a Gaussian process in the place of random perturbation.

    Every interval of every member is an observation: when it began, the continuous hyperparameters in
    force, and
    by how much F1 rose per epoch. A member that goes on from a copy takes the continuous hyperparameters
    with the
    highest upper confidence bound for the interval to come. Members whose interval is still to be
    trained count as pending: they lower the uncertainty near their hyperparameters and leave the mean as
    it is,
    as if they had measured the mean. Whole numbers and choices are perturbed as in `PBT`.

    Parker-Holder et al. 2020, Provably Efficient Online Hyperparameter Optimization with
    Population-Based Bandits, arXiv:2002.02518; the kernel is that of Bogunovic et al. 2016,
    arXiv:1601.06650: exp(-|x - x'|^2 / 2 l^2) (1 - omega)^(|t - t'| / 2). Simpler than the paper: the
    kernel's l, omega and noise come from a small grid; the acquisition is maximized over random points,
    then around the best of them; at most the latest 300 observations count; beta_t is
    0.2 + max(0, log(0.4 n)) for n observations, as in its authors' code.
    """

    def _explore(
        self, donor: Trial, stage: int, trials: Sequence[Trial], generator: np.random.Generator
    ) -> Params:
        params = super()._explore(donor, stage, trials, generator)
        names = [name for name, domain in self._space.parameters.items() if is_continuous(domain)]
        seen = list(self._observations(trials, names))[-MOST_OBSERVATIONS:]
        if not names or not seen:
            return params
        data = Observations(
            np.array([point for _, point, _ in seen]),
            np.array([start for start, *_ in seen], dtype=float),
            np.array([gain for *_, gain in seen]),
        )
        pending = np.array([self._point(each, names) for each in self._pending(stage, trials)])
        chosen = choose(data, pending.reshape(-1, len(names)), float(stage), generator)
        values = zip(names, chosen, strict=True)
        return params | {
            name: from_unit(self._space.parameters[name], float(value)) for name, value in values
        }

    def _point(self, params: Params, names: Sequence[str]) -> list[float]:
        return [to_unit(self._space.parameters[name], params[name]) for name in names]

    def _observations(
        self, trials: Sequence[Trial], names: Sequence[str]
    ) -> Iterator[tuple[int, list[float], float]]:
        """When an interval began, its point and its gain in F1 per epoch; the earliest intervals first."""
        last = max((self._stage(each.epochs) for each in trials), default=0)
        for start, trial in itertools.product(range(last), trials):
            began, ended = self._began_with(trial, start, trials), self._at(start + 1, trial)
            if began is not None and ended is not None and ended.epoch > began[0]:
                epoch, f1 = began
                point = self._point(params_at(trial, ended.epoch), names)
                yield start, point, (ended.f1 - f1) / (ended.epoch - epoch)

    def _began_with(self, trial: Trial, start: int, trials: Sequence[Trial]) -> tuple[float, float] | None:
        """The epoch and F1 of the weights with which a trial began an interval; a donor's, where copied."""
        copied = next((each for each in trial.changes if self._copied_at(each, start)), None)
        if start == 0:
            return (0.0, 0.0) if not (trial.changes and trial.changes[0].epoch > 0) else None
        source = trials[copied.donor] if copied and copied.donor is not None else trial
        measured = self._at(start, source)
        return (measured.epoch, measured.f1) if measured else None

    def _copied_at(self, change: ParamsChange, stage: int) -> bool:
        return change.donor is not None and self._stage(change.epoch) == stage

    def _pending(self, stage: int, trials: Sequence[Trial]) -> Iterator[Params]:
        """The hyperparameters of members that train the coming interval, or will, and are decided already."""
        standings = self._standings(stage, trials)
        losers = {each.number for each in self._losers(standings)}
        for trial in trials:
            at_boundary = trial.is_open and self._stage(trial.position) == stage
            undecided = trial.number in losers and not any(
                self._stage(change.epoch) == stage for change in trial.changes
            )
            if at_boundary and not undecided:
                yield trial.params


def is_continuous(domain: Parameter) -> bool:
    """Whether a hyperparameter is one of those that the model chooses."""
    return domain.type in ("uniform", "loguniform")


def to_unit(domain: Parameter, value: float) -> float:
    """A value of a range as its place between 0 and 1, on the range's own scale."""
    low, high = domain.bounds
    if domain.type == "loguniform":
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def from_unit(domain: Parameter, place: float) -> float:
    """The value at a place between 0 and 1."""
    low, high = domain.bounds
    if domain.type == "loguniform":
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    return min(high, max(low, value))


@dataclass(frozen=True)
class Observations:
    """What was gained where and when.

    *Shapes:* ``points`` (n, hyperparameters) in [0, 1], ``times`` (n) in intervals, ``gains`` (n) in F1
    per epoch.
    """

    points: Floats
    times: Floats
    gains: Floats


@dataclass(frozen=True)
class Kernel:
    """Squared exponential over points, times a decay over time, for standardized gains."""

    length: float
    forgetting: float
    noise: float

    def between(self, a: Floats, times_a: Floats, b: Floats, times_b: Floats) -> Floats:
        """Covariances. *Shape:* (len(a), len(b))."""
        distances = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
        always_kept = np.abs(times_a[:, None] - times_b[None, :])
        decay = (1 - self.forgetting) ** (always_kept / 2)
        return np.asarray(np.exp(-distances / (2 * self.length**2)) * decay)

    def factor(self, points: Floats, times: Floats) -> Floats:
        """The Cholesky factor of the covariance of noisy observations."""
        covariance = self.between(points, times, points, times)
        return np.asarray(np.linalg.cholesky(covariance + self.noise * np.eye(len(points))), dtype=np.float64)


def fit(data: Observations) -> Kernel:
    """The kernel of the grid under which some (standardized) observations are the likeliest."""

    def likelihood(kernel: Kernel) -> float:
        factor = kernel.factor(data.points, data.times)
        whitened = np.linalg.solve(factor, data.gains)
        return float(-0.5 * whitened @ whitened - np.log(np.diag(factor)).sum())

    return max(itertools.starmap(Kernel, itertools.product(LENGTHS, FORGETTING, NOISES)), key=likelihood)


def choose(data: Observations, pending: Floats, now: float, generator: np.random.Generator) -> Floats:
    """The point with the highest upper confidence bound at a time.

    *Shapes:* ``pending`` (m, hyperparameters) are points at ``now`` without a gain; returns
    (hyperparameters) in [0, 1].
    """
    spread = float(data.gains.std()) or 1.0
    data = Observations(data.points, data.times, (data.gains - data.gains.mean()) / spread)
    kernel = fit(data)
    factor = kernel.factor(data.points, data.times)
    weights = np.linalg.solve(factor.T, np.linalg.solve(factor, data.gains))
    known = np.concatenate([data.points, pending])
    times = np.concatenate([data.times, np.full(len(pending), now)])
    sharper = kernel.factor(known, times)
    width = math.sqrt(0.2 + max(0.0, math.log(0.4 * len(data.gains))))

    def bounds(points: Floats) -> Floats:
        at = np.full(len(points), now)
        mean = kernel.between(points, at, data.points, data.times) @ weights
        explained = np.linalg.solve(sharper, kernel.between(known, times, points, at))
        variance = np.maximum(0.0, 1 - (explained**2).sum(axis=0))
        return np.asarray(mean + width * np.sqrt(variance))

    points = generator.random((CANDIDATES, data.points.shape[1]))
    best = points[int(np.argmax(bounds(points)))]
    near = np.clip(best + 0.05 * generator.standard_normal(points.shape), 0, 1)
    near[0] = best
    return np.asarray(near[int(np.argmax(bounds(near)))])
