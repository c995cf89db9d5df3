"""Surrogate benchmark: predicts the learning curve of any configuration from a table of recorded curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.curve_tables import CurveTable
from hpo.training.measurement import Measurement

Floats = NDArray[np.float64]

NEIGHBOURS = 8
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Candidate weights of a hyperparameter: weight w gives the kernel a bandwidth of 1/w of its range."""
TOLERANCE = 1.05
"""A weight is as good as the best one if its error is at most this multiple of the smallest error."""
PROBES = 5_000
"""Number of random configurations from which the best F1 of the space is estimated."""


class Surrogate:
    """Nadaraya-Watson estimator: the mean of the nearest recorded curves under a Gaussian kernel.

    Hyperparameters are scaled to [0, 1] (log scale for ``loguniform`` and numeric choices) and weighted: the
    weights minimize the leave-one-out error over the recorded curves. Averaging complete curves preserves
    an F1 of exactly 0 in the first epochs, fast starters that end low, and crossing curves, which a model of
    single numbers would smooth away. Predictions never exceed the measured values and depend on the table
    alone.
    """

    def __init__(self, table: CurveTable) -> None:
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
        """Return the predicted curve of a configuration, as `hpo.simulation.tuner.CurveFunction`."""
        point, _ = _coordinates(self._space, [params])
        nearest, kernel = _nearest(self._distances(point)[0])
        f1, loss = kernel @ self._f1[nearest], kernel @ self._loss[nearest]
        seconds = np.cumsum(kernel @ self._steps[nearest])
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
        """Best F1 in a dense random sample of the space: an estimate of its optimum."""
        sampler = RandomSampler(self._space, seed=0)
        return max(
            measurement.f1 for number in range(PROBES) for measurement in self(sampler.suggest(number, ()))
        )

    def leave_one_out_fit(self) -> dict[str, float]:
        """Return R² and rank correlation of the last F1, each curve predicted from the others."""
        predicted = self._leave_one_out(self.weights)[:, len(self._epochs) - 1]
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

    def _leave_one_out(self, weights: dict[str, float]) -> Floats:
        """Predict each recorded configuration from the others. *Shape:* (curves, 2 × epochs): F1, loss."""
        scaled = self._points * self._scale(weights)
        distances = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
        np.fill_diagonal(distances, np.inf)
        curves = np.hstack([self._f1, self._loss])
        predicted = np.empty_like(curves)
        for number, row in enumerate(distances):
            nearest, kernel = _nearest(row)
            predicted[number] = kernel @ curves[nearest]
        return predicted

    def _fit(self) -> dict[str, float]:
        """Choose one weight after the other, in two passes, by the leave-one-out squared error of F1.

        Of the weights within `TOLERANCE` the smallest wins, to avoid overfitting a small table.
        """
        weights = dict.fromkeys(self._space.parameters, 4.0)
        columns = len(self._epochs)
        for _ in range(2):
            for name in weights:
                predictions = [self._leave_one_out(weights | {name: each})[:, :columns] for each in WEIGHTS]
                errors = [float(((predicted - self._f1) ** 2).mean()) for predicted in predictions]
                limit = min(errors) * TOLERANCE
                weights[name] = next(
                    each for each, error in zip(WEIGHTS, errors, strict=True) if error <= limit
                )
        return weights


def _nearest(distances: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the indices of the nearest points and their kernel weights, which sum to 1."""
    order = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    nearest = distances[order]
    kernel = np.exp(-(nearest - nearest[0]) / 2)  # relative to the nearest, to avoid underflow
    return order, kernel / kernel.sum()


def _coordinates(space: Space, configurations: Sequence[Params]) -> tuple[Floats, list[str]]:
    """Map configurations to the unit cube, and return the points and each column's hyperparameter.

    *Shape:* (configurations, columns). A choice of non-numbers has one column per value. Example: with
    ``x`` uniform in [0, 10] and ``y`` a choice of "a" and "b", ``{"x": 5, "y": "b"}`` becomes
    ``[0.5, 0, 1]`` with the columns ``["x", "y", "y"]``.
    """
    columns: list[list[float]] = []
    owners: list[str] = []
    for name, parameter in space.parameters.items():
        for axis in _axes(parameter, [params[name] for params in configurations]):
            columns.append(axis)
            owners.append(name)
    return np.array(columns).T, owners


def _axes(parameter: Domain, values: list[Any]) -> list[list[float]]:
    if parameter.values is not None:
        numbers = all(isinstance(each, int | float) and each > 0 for each in parameter.values)
        if numbers and not any(isinstance(each, bool) for each in parameter.values):
            low, high = (math.log(end(parameter.values)) for end in (min, max))  # type: ignore[arg-type]
            return [[(math.log(value) - low) / ((high - low) or 1.0) for value in values]]
        return [[float(value == each) for value in values] for each in parameter.values]
    return [list(map(parameter.to_unit, values))]
