"""The sampler of BOHB: kernel densities of the best and of the other configurations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.rungs import result_at_rung
from hpo.search.trial import State, Trial

RANDOM_FRACTION = 1 / 3
TOP_PERCENT = 15
CANDIDATES = 64
BANDWIDTH_FACTOR = 3
MIN_BANDWIDTH = 1e-3
MIN_DENSITY = 1e-32

Floats = NDArray[np.float64]


class BOHB:
    """Proposes the configuration with the largest ratio of the densities of good and bad configurations.

    Each of ``rung_levels``, in epochs, is a budget b of the paper. A trial that has reached a level is an
    observation there, with its measurement at that level; observations are ordered by F1, then by dev loss.
    The model uses the largest level with N_min + 2 observations, N_min = d + 1 for d hyperparameters: l is
    the density of the best max(N_min, q N_b) and g that of the worst max(N_min, N_b - N_l). Of N_s draws
    from l, widened by b_w, the one with the largest l / g is proposed. A fraction rho of the proposals, and
    every proposal before a level has enough observations, is drawn uniformly. Failed trials are ignored.

    Falkner et al. 2018, BOHB: Robust and Efficient Hyperparameter Optimization at Scale, arXiv:1807.01774,
    algorithm 2, where rho = ``random_fraction``, q = `TOP_PERCENT`, N_s = `CANDIDATES` and b_w =
    `BANDWIDTH_FACTOR`. hpbandster 0.7.4, the authors' implementation, differs: it ignores a level with
    fewer than 2 N_min observations, where l and g would overlap, and ranks a failed trial last.
    """

    def __init__(
        self, space: Space, seed: int, rung_levels: Sequence[float], random_fraction: float = RANDOM_FRACTION
    ) -> None:
        self._seed = seed
        self._parameters = space.parameters
        self._rung_levels = sorted(rung_levels, reverse=True)
        self._random_fraction = random_fraction
        self._choices = [len(each.values or ()) for each in space.parameters.values()]

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """Return a proposal whose random draws depend only on the seed and the number."""
        generator = np.random.default_rng(np.random.SeedSequence([self._seed, number]))
        from_model = generator.random() >= self._random_fraction
        observed = self.observations(trials) if from_model else None
        if observed is None:
            return self._decode(draw_uniform(self._choices, generator))
        good, bad = (Density(points, self._choices) for points in split_observations(observed))
        drawn = good.draw(CANDIDATES, generator)
        ratios = np.maximum(good.at(drawn), MIN_DENSITY) / np.maximum(bad.at(drawn), MIN_DENSITY)
        return self._decode(drawn[np.argmax(ratios)])

    def observations(self, trials: Sequence[Trial]) -> Floats | None:
        """Return the encoded configurations (n, d) at the largest level with enough, the best first."""
        for level in self._rung_levels:
            results = [
                (result_at_rung(trial, level), trial) for trial in trials if trial.state != State.FAILED
            ]
            keys = [(each.sort_key, -trial.number, trial) for each, trial in results if each is not None]
            if len(keys) >= _min_points(len(self._choices)) + 2:
                keys.sort(key=lambda entry: entry[:2], reverse=True)
                return np.array([self.encode(trial.params) for *_, trial in keys])
        return None

    def encode(self, params: Params) -> list[float]:
        """Return a configuration as coordinates (d): an index for a choice, a place in [0, 1] for a range."""
        return [to_coordinate(each, params[name]) for name, each in self._parameters.items()]

    def _decode(self, vector: Floats) -> Params:
        named = zip(self._parameters.items(), vector, strict=True)
        return {name: from_coordinate(each, float(coordinate)) for (name, each), coordinate in named}


class Density:
    """A product kernel density: Gaussian over ranges, Aitchison-Aitken over choices.

    ``points`` (n, d) holds a range's value in [0, 1] and a choice's as its index; ``choices`` (d) has the
    number of values of a choice and 0 for a range. The bandwidths (d) follow the normal reference rule,
    1.06 sigma n^(-1 / (4 + d)), for ranges and choices alike, and are at least `MIN_BANDWIDTH`.

    Example: with ``choices`` = [0, 3], the point [0.5, 2] is the middle of a range and the third of three
    values.

    ``KDEMultivariate`` of statsmodels with ``bw="normal_reference"`` is equal except for choices of c values:
    it counts only values that it has observed, and its bandwidths may exceed (c - 1) / c, where the kernel is
    flat, and even 1, where the density becomes negative.

    Aitchison and Aitken 1976, Multivariate Binary Discrimination by the Kernel Method, Biometrika 63,
    where 1 - lambda = the weight of the same value, and lambda = the bandwidth.
    """

    def __init__(self, points: Floats, choices: Sequence[int]) -> None:
        count, width = points.shape
        self.points = points
        self.choices = choices
        flat = [(values - 1) / values if values else math.inf for values in choices]
        reference = 1.06 * np.std(points, axis=0) * count ** (-1 / (4 + width))
        self.bandwidths: Floats = np.minimum(np.maximum(reference, MIN_BANDWIDTH), flat)

    def at(self, vectors: Floats) -> Floats:
        """Return the densities (m) at ``vectors`` (m, d)."""
        kernels = np.ones((len(vectors), len(self.points)))
        for column, (values, width) in enumerate(zip(self.choices, self.bandwidths, strict=True)):
            gaps = vectors[:, None, column] - self.points[None, :, column]
            if values:
                kernels *= np.where(gaps == 0, 1 - width, width / max(1, values - 1))
            else:
                kernels *= np.exp(-((gaps / width) ** 2) / 2) / (math.sqrt(2 * math.pi) * width)
        return kernels.mean(axis=1)

    def draw(self, count: int, generator: np.random.Generator) -> Floats:
        """Draw vectors (count, d), each near a random point.

        For a range, a normal with `BANDWIDTH_FACTOR` times the bandwidth, truncated to [0, 1], is centered
        on the point. A choice keeps the point's value, or with the bandwidth as probability takes any value.
        """
        drawn = self.points[generator.integers(len(self.points), size=count)]
        for column, (values, width) in enumerate(zip(self.choices, self.bandwidths, strict=True)):
            if values:
                changed = generator.random(count) < width
                drawn[changed, column] = generator.integers(values, size=count)[changed]
            else:
                quantiles, spread = generator.random(count), BANDWIDTH_FACTOR * width
                places = zip(drawn[:, column], quantiles, strict=True)
                drawn[:, column] = [
                    truncated_normal(float(mean), float(spread), quantile) for mean, quantile in places
                ]
        return drawn


def truncated_normal(mean: float, spread: float, quantile: float) -> float:
    """Return a quantile of a normal distribution truncated to [0, 1], which contains ``mean``."""
    normal = NormalDist(mean, spread)
    below, above = normal.cdf(0.0), normal.cdf(1.0)
    whole = below + quantile * (above - below)
    inside = min(max(whole, np.finfo(float).tiny), 1 - np.finfo(float).epsneg)
    return min(1.0, max(0.0, normal.inv_cdf(inside)))


def _min_points(width: int) -> int:
    """Return N_min, the fewest points of a density over ``width`` hyperparameters."""
    return width + 1


def split_observations(observed: Floats) -> tuple[Floats, Floats]:
    """Split observations, the best first, into good and bad ones, which overlap if there are few."""
    count, width = observed.shape
    good = max(_min_points(width), TOP_PERCENT * count // 100)
    bad = max(_min_points(width), count - good)
    return observed[:good], observed[count - bad :]


def draw_uniform(choices: Sequence[int], generator: np.random.Generator) -> Floats:
    """Draw a vector (d) uniformly: an index for a choice, a number in [0, 1) for a range."""
    return np.array([generator.integers(values) if values else generator.random() for values in choices])


def to_coordinate(domain: Domain, value: Any) -> float:
    """Return the index of a choice's value, or the place of a range's value in [0, 1]."""
    return domain.values.index(value) if domain.values is not None else domain.to_unit(value)


def from_coordinate(domain: Domain, coordinate: float) -> Any:
    """Return the value of a coordinate; the inverse of `to_coordinate`."""
    return domain.values[int(coordinate)] if domain.values is not None else domain.from_unit(coordinate)
