"""PB2, population-based bandits: PBT whose continuous hyperparameters are chosen by a Gaussian process."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.config.search_space import Params
from hpo.search.hyperparameter_schedule import params_at
from hpo.search.schedulers.pbt import PBT
from hpo.search.trial import ParamsChange, Trial

Floats = NDArray[np.float64]

LENGTH_SCALES = (0.1, 0.2, 0.4, 0.8, 1.6)
FORGETTING_RATES = (0.0, 0.02, 0.1, 0.3)
NOISES = (1e-3, 1e-2, 1e-1, 0.5)
"""Grid of kernel settings, of which the one with the highest marginal likelihood is used."""
MAX_OBSERVATIONS = 300
CANDIDATES = 1000


class PB2(PBT):
    """PBT that explores continuous hyperparameters with a Gaussian process instead of random perturbation.

    An *interval* is the training between two boundaries. Each interval of each trial is an observation: its
    start, the continuous hyperparameters in effect, and the gain in F1 per epoch. A trial that exploits
    takes the donor's hyperparameters, with the continuous ones replaced by the point of the highest upper
    confidence bound for the next interval. Trials that still have to train that interval are pending: they
    lower the uncertainty near their hyperparameters and leave the mean unchanged, as if they had measured
    the mean. Integers and choices are perturbed as in `PBT`.

    Parker-Holder et al. 2020, Provably Efficient Online Hyperparameter Optimization with
    Population-Based Bandits, arXiv:2002.02518; the kernel is that of Bogunovic et al. 2016,
    arXiv:1601.06650: exp(-|x - x'|^2 / 2 l^2) (1 - omega)^(|t - t'| / 2). Simpler than the paper: l, omega
    and the noise come from a small grid; the acquisition is maximized over random points, then around the
    best of them; only the latest 300 observations count; beta_t is 0.2 + max(0, log(0.4 n)) for n
    observations, as in the authors' code.
    """

    def _explore(
        self, donor: Trial, boundary: int, trials: Sequence[Trial], generator: np.random.Generator
    ) -> Params:
        params = super()._explore(donor, boundary, trials, generator)
        names = [name for name, domain in self._space.parameters.items() if domain.is_continuous]
        observed = list(self.observations(trials, names))[-MAX_OBSERVATIONS:]
        if not names or not observed:
            return params
        data = Observations(
            np.array([point for _, point, _ in observed]),
            np.array([interval for interval, *_ in observed], dtype=float),
            np.array([gain for *_, gain in observed]),
        )
        pending = np.array([self._point(each, names) for each in self._pending(boundary, trials)])
        chosen = maximize_ucb(data, pending.reshape(-1, len(names)), float(boundary), generator)
        values = zip(names, chosen, strict=True)
        return params | {name: self._space.parameters[name].from_unit(float(value)) for name, value in values}

    def _point(self, params: Params, names: Sequence[str]) -> list[float]:
        return [self._space.parameters[name].to_unit(params[name]) for name in names]

    def observations(
        self, trials: Sequence[Trial], names: Sequence[str]
    ) -> Iterator[tuple[int, list[float], float]]:
        """Yield the start, point and gain in F1 per epoch of each interval, the earliest interval first."""
        last = max((self._boundary(each.epochs) for each in trials), default=0)
        for interval, trial in itertools.product(range(last), trials):
            start, end = self._start_of(interval, trial, trials), self._result_at(interval + 1, trial)
            if start is not None and end is not None and end.epoch > start[0]:
                epoch, f1 = start
                point = self._point(params_at(trial, end.epoch), names)
                yield interval, point, (end.f1 - f1) / (end.epoch - epoch)

    def _start_of(self, interval: int, trial: Trial, trials: Sequence[Trial]) -> tuple[float, float] | None:
        """Return epoch and F1 of the weights that start an interval: the trial's own, or a donor's."""
        copied = next((each for each in trial.changes if self._is_copy_at(interval, each)), None)
        if interval == 0:
            return (0.0, 0.0) if not (trial.changes and trial.changes[0].epoch > 0) else None
        source = trials[copied.donor] if copied and copied.donor is not None else trial
        measured = self._result_at(interval, source)
        return (measured.epoch, measured.f1) if measured else None

    def _is_copy_at(self, boundary: int, change: ParamsChange) -> bool:
        return change.donor is not None and self._boundary(change.epoch) == boundary

    def _pending(self, boundary: int, trials: Sequence[Trial]) -> Iterator[Params]:
        """Yield the hyperparameters of the trials at a boundary that are final for the next interval."""
        bottom = {each.number for each in self._bottom(self._ranked(boundary, trials))}
        for trial in trials:
            at_boundary = trial.is_open and self._boundary(trial.position) == boundary
            undecided = trial.number in bottom and not any(
                self._boundary(change.epoch) == boundary for change in trial.changes
            )
            if at_boundary and not undecided:
                yield trial.params


@dataclass(frozen=True)
class Observations:
    """Gains of past intervals.

    *Shapes:* ``points`` (n, hyperparameters) in [0, 1], ``times`` (n) in intervals, ``gains`` (n) in F1
    per epoch.
    """

    points: Floats
    times: Floats
    gains: Floats


@dataclass(frozen=True)
class Kernel:
    """Squared exponential over points, times a decay over time, for standardized gains."""

    length_scale: float
    forgetting_rate: float
    noise: float

    def covariance(self, a: Floats, times_a: Floats, b: Floats, times_b: Floats) -> Floats:
        """Return the covariances between two sets of points. *Shape:* (len(a), len(b)).

        Example: with ``length_scale`` 0.5 and ``forgetting_rate`` 0.19, points 0.5 apart at the same time
        have covariance exp(-0.5), and equal points two intervals apart have 0.81.
        """
        distances = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
        elapsed = np.abs(times_a[:, None] - times_b[None, :])
        decay = (1 - self.forgetting_rate) ** (elapsed / 2)
        return np.asarray(np.exp(-distances / (2 * self.length_scale**2)) * decay)

    def cholesky(self, points: Floats, times: Floats) -> Floats:
        """Return the Cholesky factor of the covariance of noisy observations. *Shape:* (n, n)."""
        covariance = self.covariance(points, times, points, times)
        return np.asarray(np.linalg.cholesky(covariance + self.noise * np.eye(len(points))), dtype=np.float64)


def fit_kernel(data: Observations) -> Kernel:
    """Return the kernel of the grid with the highest marginal likelihood of standardized observations."""

    def likelihood(kernel: Kernel) -> float:
        factor = kernel.cholesky(data.points, data.times)
        whitened = np.linalg.solve(factor, data.gains)
        return float(-0.5 * whitened @ whitened - np.log(np.diag(factor)).sum())

    grid = itertools.product(LENGTH_SCALES, FORGETTING_RATES, NOISES)
    return max(itertools.starmap(Kernel, grid), key=likelihood)


def maximize_ucb(data: Observations, pending: Floats, now: float, generator: np.random.Generator) -> Floats:
    """Return the point with the highest upper confidence bound at a time.

    *Shapes:* ``pending`` (m, hyperparameters) are points at ``now`` whose gain is unknown; returns
    (hyperparameters) in [0, 1].
    """
    spread = float(data.gains.std()) or 1.0
    data = Observations(data.points, data.times, (data.gains - data.gains.mean()) / spread)
    kernel = fit_kernel(data)
    factor = kernel.cholesky(data.points, data.times)
    weights = np.linalg.solve(factor.T, np.linalg.solve(factor, data.gains))
    points = np.concatenate([data.points, pending])
    times = np.concatenate([data.times, np.full(len(pending), now)])
    factor_with_pending = kernel.cholesky(points, times)
    root_beta = math.sqrt(0.2 + max(0.0, math.log(0.4 * len(data.gains))))

    def upper_bounds(candidates: Floats) -> Floats:
        at = np.full(len(candidates), now)
        mean = kernel.covariance(candidates, at, data.points, data.times) @ weights
        explained = np.linalg.solve(factor_with_pending, kernel.covariance(points, times, candidates, at))
        variance = np.maximum(0.0, 1 - (explained**2).sum(axis=0))
        return np.asarray(mean + root_beta * np.sqrt(variance))

    candidates = generator.random((CANDIDATES, data.points.shape[1]))
    best = candidates[int(np.argmax(upper_bounds(candidates)))]
    nearby = np.clip(best + 0.05 * generator.standard_normal(candidates.shape), 0, 1)
    nearby[0] = best
    return np.asarray(nearby[int(np.argmax(upper_bounds(nearby)))])
