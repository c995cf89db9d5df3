"""The model of BOHB: kernel densities of good and of bad configurations, at the most epochs that suffice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.config.search_space import Parameter, Params, Space
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
    """Proposes what is likelier among the best configurations than among the rest, of those trained longest.

    Each of ``levels``, in epochs, is a budget b of the paper, and a trial that has come to it is an
    observation there, with its measurement at that level, ordered by F1 and then by dev loss. The
    largest level with N_min + 2 observations is modelled, N_min = d + 1 for d hyperparameters: l by the best
    max(N_min, q N_b), and g by the worst max(N_min, N_b - N_l). Of N_s draws from l, widened by b_w, the
    one with the largest l / g is proposed. One proposal in 1 / rho is drawn uniformly, as all are before
    any level can be modelled. A failed trial teaches nothing.

    Falkner et al. 2018, BOHB: Robust and Efficient Hyperparameter Optimization at Scale, arXiv:1807.01774,
    algorithm 2, where rho = ``random_fraction``, q = `TOP_PERCENT`, N_s = `CANDIDATES` and b_w =
    `BANDWIDTH_FACTOR`. hpbandster 0.7.4, the authors' program, has no use for a level with fewer than
    2 N_min observations, where l and g would share some, and counts a failed trial as the worst.
    """

    def __init__(
        self, space: Space, seed: int, levels: Sequence[float], random_fraction: float = RANDOM_FRACTION
    ) -> None:
        self._seed = seed
        self._parameters = space.parameters
        self._levels = sorted(levels, reverse=True)
        self._random_fraction = random_fraction
        self._choices = [len(each.values or ()) for each in space.parameters.values()]

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """As `Sampler.suggest`; all that is drawn follows from the seed and the number."""
        generator = np.random.default_rng(np.random.SeedSequence([self._seed, number]))
        by_model = generator.random() >= self._random_fraction
        observed = self._observed(trials) if by_model else None
        if observed is None:
            return self._decode(_uniform(self._choices, generator))
        good, bad = (Density(points, self._choices) for points in _split(observed))
        drawn = good.draw(CANDIDATES, generator)
        ratios = np.maximum(good.at(drawn), MIN_DENSITY) / np.maximum(bad.at(drawn), MIN_DENSITY)
        return self._decode(drawn[np.argmax(ratios)])

    def _observed(self, trials: Sequence[Trial]) -> Floats | None:
        """Configurations at the largest level with enough of them, the best first."""
        for level in self._levels:
            stands = [
                (result_at_rung(trial, level), trial) for trial in trials if trial.state != State.FAILED
            ]
            ranks = [(each.sort_key, -trial.number, trial) for each, trial in stands if each is not None]
            if len(ranks) >= _least(len(self._choices)) + 2:
                ranks.sort(key=lambda entry: entry[:2], reverse=True)
                return np.array([self._encode(trial.params) for *_, trial in ranks])
        return None

    def _encode(self, params: Params) -> list[float]:
        return [_coordinate(each, params[name]) for name, each in self._parameters.items()]

    def _decode(self, vector: Floats) -> Params:
        named = zip(self._parameters.items(), vector, strict=True)
        return {name: _value(each, float(coordinate)) for (name, each), coordinate in named}


class Density:
    """A product kernel density: Gaussian over ranges, Aitchison-Aitken over choices.

    ``points`` (n, d) holds ranges in [0, 1] and choices as the index of their value; ``choices`` (d) the
    number of a choice's values and 0 for a range. Bandwidths (d) are by the normal reference rule,
    1.06 sigma n^(-1 / (4 + d)), for ranges and choices alike, and at least `MIN_BANDWIDTH`. These are
    ``KDEMultivariate`` of statsmodels with ``bw="normal_reference"``, but for choices of c values:
    statsmodels counts those values only that it has seen, and lets a bandwidth exceed (c - 1) / c, where
    a kernel already is flat, and then even 1, where a density turns negative.

    Aitchison and Aitken 1976, Multivariate Binary Discrimination by the Kernel Method, Biometrika 63,
    where 1 - lambda = the weight of the same value, and lambda = the bandwidth.
    """

    def __init__(self, points: Floats, choices: Sequence[int]) -> None:
        count, width = points.shape
        self.points = points
        self.choices = choices
        flat = [(values - 1) / values if values else math.inf for values in choices]
        by_rule = 1.06 * np.std(points, axis=0) * count ** (-1 / (4 + width))
        self.bandwidths: Floats = np.minimum(np.maximum(by_rule, MIN_BANDWIDTH), flat)

    def at(self, vectors: Floats) -> Floats:
        """The densities (m) at ``vectors`` (m, d)."""
        kernels = np.ones((len(vectors), len(self.points)))
        for column, (values, width) in enumerate(zip(self.choices, self.bandwidths, strict=True)):
            gaps = vectors[:, None, column] - self.points[None, :, column]
            if values:
                kernels *= np.where(gaps == 0, 1 - width, width / max(1, values - 1))
            else:
                kernels *= np.exp(-((gaps / width) ** 2) / 2) / (math.sqrt(2 * math.pi) * width)
        return kernels.mean(axis=1)

    def draw(self, count: int, generator: np.random.Generator) -> Floats:
        """Vectors (count, d), each near one of the points.

        A range's coordinate is normal about the point's with `BANDWIDTH_FACTOR` times the bandwidth, cut
        to [0, 1]; a choice keeps the point's value, or takes any with the bandwidth as probability.
        """
        drawn = self.points[generator.integers(len(self.points), size=count)]
        for column, (values, width) in enumerate(zip(self.choices, self.bandwidths, strict=True)):
            if values:
                leaves = generator.random(count) < width
                drawn[leaves, column] = generator.integers(values, size=count)[leaves]
            else:
                shares, spread = generator.random(count), BANDWIDTH_FACTOR * width
                places = zip(drawn[:, column], shares, strict=True)
                drawn[:, column] = [_cut_normal(float(mean), float(spread), share) for mean, share in places]
        return drawn


def _cut_normal(mean: float, spread: float, share: float) -> float:
    """The quantile at a share of a normal distribution that is cut to [0, 1], ``mean`` in it."""
    normal = NormalDist(mean, spread)
    below, above = normal.cdf(0.0), normal.cdf(1.0)
    quantile = below + share * (above - below)
    inside = min(max(quantile, np.finfo(float).tiny), 1 - np.finfo(float).epsneg)
    return min(1.0, max(0.0, normal.inv_cdf(inside)))


def _least(width: int) -> int:
    """N_min, the fewest points of a density over so many hyperparameters."""
    return width + 1


def _split(observed: Floats) -> tuple[Floats, Floats]:
    """Observations, the best first, as the good and the bad; few enough, and they have some in common."""
    count, width = observed.shape
    good = max(_least(width), TOP_PERCENT * count // 100)
    bad = max(_least(width), count - good)
    return observed[:good], observed[count - bad :]


def _uniform(choices: Sequence[int], generator: np.random.Generator) -> Floats:
    return np.array([generator.integers(values) if values else generator.random() for values in choices])


def _coordinate(parameter: Parameter, value: Any) -> float:
    """The index of a choice's value, or a place in [0, 1]: whole numbers in the middles of equal bins."""
    if parameter.values is not None:
        return parameter.values.index(value)
    low, high = parameter.bounds
    if parameter.type == "int":
        return (value - low + 0.5) / (high - low + 1)
    if parameter.type == "loguniform":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _value(parameter: Parameter, coordinate: float) -> Any:
    """What `_coordinate` was made of."""
    if parameter.values is not None:
        return parameter.values[int(coordinate)]
    low, high = parameter.bounds
    if parameter.type == "int":
        return int(min(high, low + math.floor(coordinate * (high - low + 1))))
    if parameter.type == "loguniform":
        return min(high, max(low, low * (high / low) ** coordinate))
    return min(high, max(low, low + coordinate * (high - low)))
