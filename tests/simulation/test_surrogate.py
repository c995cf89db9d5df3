"""Tests of the surrogate on a made-up curve table."""

import pytest

from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.surrogate import Surrogate


@pytest.fixture(scope="module")
def surrogate(table):
    return Surrogate(table)


def test_surrogate_predicts_curves_that_are_not_in_the_table(surrogate, table, curve_of):
    assert surrogate.leave_one_out_fit()["rank_correlation"] > 0.95
    sampler = RandomSampler(table.space, 2)
    for number in range(20):
        params = sampler.suggest(number, ())
        assert surrogate(params)[-1].f1 == pytest.approx(curve_of(params).f1[-1], abs=0.08)
    assert max(max(curve.f1) for curve in table.curves) >= surrogate.best > 0.4


def test_surrogate_weighs_the_hyperparameter_that_matters_and_preserves_zeros(surrogate):
    weights = surrogate.weights
    assert max(weights, key=weights.__getitem__) == "learning_rate"
    assert weights["weight_decay"] <= 1
    slow = dict.fromkeys(weights, 0.05) | {"learning_rate": 5e-5, "batch_size": 16}
    assert surrogate(slow)[0].f1 == 0.0
    assert surrogate(slow) == surrogate(slow)
