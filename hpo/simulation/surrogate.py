"""Curves for any configuration of a table's space, read off the recorded ones near it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.config.search_space import Parameter, Params, Space
from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.curve_tables import Table
from hpo.training.measurement import Measurement

Floats = NDArray[np.float64]

NEIGHBOURS = 8
LEVELS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""What a hyperparameter may weigh: the kernel's reach is one such part of the hyperparameter's whole
range; 0 is of no matter."""
TOLERANCE = 1.05
"""Weights are about as good as the best if their error is at most so many times its own."""
PROBES = 5_000
"""Random configurations among which the best of the space is looked for."""


class Surrogate:
    """The mean of the nearest recorded curves under a Gaussian kernel (Nadaraya and Watson's estimator).

    Hyperparameters are scaled to [0, 1] (logarithmically where the space is) and weighted by how much they
    matter:
    the weights are those under which each recorded curve is best told from the others. A mean of whole
    curves keeps what a model of single numbers would smooth away: an F1 of exactly 0 in the first
    epochs, fast starters that end low, and curves that cross. It never exceeds what was measured, and
    depends on the table alone.
    """

    def __init__(self, table: Table) -> None:
        whole = [curve for curve in table.curves if len(curve.epoch) == len(table.curves[0].epoch)]
        self.table = table
        self.size = len(whole)
        self._space = table.space
        self._epochs = whole[0].epoch
        self._points, self._owners = _coordinates(table.space, [curve.params for curve in whole])
        self._f1 = np.array([curve.f1 for curve in whole])
        self._loss = np.array([curve.loss for curve in whole])
        self._steps = np.diff(np.array([curve.seconds for curve in whole]), axis=1, prepend=0.0)
        self.weights = self._fit()

    def __call__(self, params: Params) -> tuple[Measurement, ...]:
        """The curve of a configuration, as `hpo.simulation.tuner.simulate` asks for it."""
        point, _ = _coordinates(self._space, [params])
        nearest, shares = _nearest(self._distances(point)[0])
        f1, loss = shares @ self._f1[nearest], shares @ self._loss[nearest]
        seconds = np.cumsum(shares @ self._steps[nearest])
        return tuple(
            Measurement(
                epoch=epoch, step=number, f1=score, precision=score, recall=score, loss=cost,
                train_loss=cost, seconds=second,
            )
            for number, (epoch, score, cost, second) in enumerate(
                zip(self._epochs, f1.tolist(), loss.tolist(), seconds.tolist(), strict=True), 1
            )
        )  # fmt: skip

    @cached_property
    def best(self) -> float:
        """The best F1 of a dense random sample of the space: what a search can hope for."""
        sampler = RandomSampler(self._space, seed=0)
        return max(
            measurement.f1 for number in range(PROBES) for measurement in self(sampler.suggest(number, ()))
        )

    def told(self) -> dict[str, float]:
        """How well each recorded curve is told from the others: of the last F1, R² and rank correlation."""
        predicted = self._left_out(self.weights)[:, len(self._epochs) - 1]
        actual = self._f1[:, -1]
        residual = ((predicted - actual) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
        ranks = [np.argsort(np.argsort(each)).astype(float) for each in (predicted, actual)]
        correlation = np.corrcoef(ranks[0], ranks[1])[0, 1]
        return {"r2": float(1 - residual), "rank_correlation": float(correlation)}

    def _distances(self, points: Floats) -> Floats:
        scaled = self._scale(self.weights)
        return ((points[:, None] * scaled - self._points[None] * scaled) ** 2).sum(axis=2)

    def _scale(self, weights: dict[str, float]) -> Floats:
        return np.array([weights[name] for name in self._owners])

    def _left_out(self, weights: dict[str, float]) -> Floats:
        """F1 and loss of each recorded configuration as the others tell them; (curves, 2 × epochs)."""
        scaled = self._points * self._scale(weights)
        distances = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
        np.fill_diagonal(distances, np.inf)
        curves = np.hstack([self._f1, self._loss])
        told = np.empty_like(curves)
        for number, row in enumerate(distances):
            nearest, shares = _nearest(row)
            told[number] = shares @ curves[nearest]
        return told

    def _fit(self) -> dict[str, float]:
        """Choose each hyperparameter's weight in turn, twice round, by the squared error of the F1 left out.

        Of weights that are about as good the smallest is taken: a few curves are soon told by chance.
        """
        weights = dict.fromkeys(self._space.parameters, 4.0)
        columns = len(self._epochs)
        for _ in range(2):
            for name in weights:
                left_out = [self._left_out(weights | {name: level})[:, :columns] for level in LEVELS]
                errors = [float(((told - self._f1) ** 2).mean()) for told in left_out]
                limit = min(errors) * TOLERANCE
                weights[name] = next(
                    level for level, error in zip(LEVELS, errors, strict=True) if error <= limit
                )
        return weights


def _nearest(distances: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The places of the nearest and their shares, which sum to 1."""
    order = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    nearest = distances[order]
    shares = np.exp(-(nearest - nearest[0]) / 2)  # from the nearest on, lest all of them vanish
    return order, shares / shares.sum()


def _coordinates(space: Space, configurations: Sequence[Params]) -> tuple[Floats, list[str]]:
    """Points in the unit cube, one row per configuration, and the hyperparameter that each column belongs
    to."""
    columns: list[list[float]] = []
    owners: list[str] = []
    for name, parameter in space.parameters.items():
        for axis in _axes(parameter, [params[name] for params in configurations]):
            columns.append(axis)
            owners.append(name)
    return np.array(columns).T, owners


def _axes(parameter: Parameter, values: list[Any]) -> list[list[float]]:
    if parameter.values is not None:
        numbers = all(isinstance(each, int | float) and each > 0 for each in parameter.values)
        if numbers and not any(isinstance(each, bool) for each in parameter.values):
            low, high = (math.log(end(parameter.values)) for end in (min, max))  # type: ignore[arg-type]
            return [[(math.log(value) - low) / ((high - low) or 1.0) for value in values]]
        return [[float(value == each) for value in values] for each in parameter.values]
    low, high = parameter.bounds
    if parameter.type == "loguniform":
        return [[math.log(value / low) / math.log(high / low) for value in values]]
    return [[(value - low) / (high - low) for value in values]]
