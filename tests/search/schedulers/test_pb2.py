"""Population-based bandits: the Gaussian process and the hyperparameters that it chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.domain import Domain
from hpo.config.search_space import Space
from hpo.search.schedulers.pb2 import PB2, Kernel, Observations, fit_kernel, maximize_ucb
from hpo.search.schedulers.pbt import PopulationSettings
from hpo.search.trial import ParamsChange, State, Trial

SPACE = Space.model_validate(
    {
        "parameters": {
            "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-1},
            "batch_size": {"type": "choice", "values": [8, 16, 32]},
        }
    }
)


def observed(gain, count=24, intervals=3, seed=0):
    points = np.random.default_rng(seed).random((count, 1))
    times = np.arange(count) % intervals
    return Observations(points, times.astype(float), np.array([gain(x[0]) for x in points]))


NO_PENDING = np.zeros((0, 1))


def test_covariance_matches_hand_computed_values_of_the_paper():
    kernel = Kernel(length_scale=0.5, forgetting_rate=0.19, noise=0.1)
    a, b = np.array([[0.0]]), np.array([[0.5]])
    assert kernel.covariance(a, np.array([1.0]), a, np.array([1.0])) == pytest.approx(1.0)
    assert kernel.covariance(a, np.array([1.0]), b, np.array([1.0])) == pytest.approx(np.exp(-0.5))
    assert kernel.covariance(a, np.array([1.0]), a, np.array([3.0])) == pytest.approx(0.81)


def test_maximize_ucb_known_optimum_is_found():
    chosen = maximize_ucb(observed(lambda x: -((x - 0.7) ** 2)), NO_PENDING, 3.0, np.random.default_rng(1))
    assert chosen[0] == pytest.approx(0.7, abs=0.15)


def test_maximize_ucb_flat_gain_avoids_pending_points():
    flat = Observations(np.array([[0.5]]), np.array([0.0]), np.array([0.1]))
    first = maximize_ucb(flat, NO_PENDING, 1.0, np.random.default_rng(1))
    second = maximize_ucb(flat, first[None, :], 1.0, np.random.default_rng(1))
    assert abs(first[0] - second[0]) > 0.3


def test_fit_kernel_changed_optimum_forgets_old_gains():
    early, late = observed(lambda x: -abs(x - 0.1)), observed(lambda x: -abs(x - 0.9), seed=1)
    both = Observations(
        np.concatenate([early.points, late.points]),
        np.concatenate([early.times * 0, late.times * 0 + 12]),
        np.concatenate([early.gains, late.gains]),
    )
    standard = Observations(both.points, both.times, (both.gains - both.gains.mean()) / both.gains.std())
    assert fit_kernel(standard).forgetting_rate > 0
    assert maximize_ucb(both, NO_PENDING, 13.0, np.random.default_rng(0))[0] > 0.6


@given(st.floats(0, 1), st.sampled_from(["uniform", "loguniform"]))
def test_to_unit_inverts_from_unit(place, kind):
    domain = Domain(type=kind, low=1e-5, high=1e-2)
    value = domain.from_unit(place)
    assert domain.contains(value)
    assert domain.to_unit(value) == pytest.approx(place, abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 3))
def test_maximize_ucb_any_observations_stay_in_the_unit_cube(seed, count, hyperparameters):
    generator = np.random.default_rng(seed)
    data = Observations(
        generator.random((count, hyperparameters)),
        generator.integers(0, 5, count).astype(float),
        generator.integers(0, 2, count) * 0.1,
    )
    chosen = maximize_ucb(data, generator.random((2, hyperparameters)), 5.0, generator)
    assert chosen.shape == (hyperparameters,)
    assert ((chosen >= 0) & (chosen <= 1)).all()


def trial_with(number, rate, measurements, changes=(), state=State.PAUSED):
    params = {"learning_rate": rate, "batch_size": 16}
    return Trial(number, params, 0, state, list(measurements), changes=list(changes))


def test_observations_gain_is_per_epoch_from_the_weights_at_the_start(measure):
    scheduler = PB2(SPACE, 0, PopulationSettings(2, 2, 2.0, 10))
    old = {"learning_rate": 1e-4, "batch_size": 16}
    changed = trial_with(
        0, 1e-2, [measure(2, 0.2), measure(4, 0.7)], [ParamsChange(0.0, old, None), ParamsChange(2.0, {}, 1)]
    )
    changed.changes[1] = ParamsChange(2.0, changed.params, 1)
    donor = trial_with(1, 1e-3, [measure(2, 0.6), measure(4, 0.8)])
    seen = list(scheduler.observations([changed, donor], ["learning_rate"]))
    assert [(start, pytest.approx(point)) for start, point, _ in seen] == [
        (0, [0.25]), (0, [0.5]), (1, [0.75]), (1, [0.5]),
    ]  # fmt: skip
    assert [gain for *_, gain in seen] == pytest.approx([0.1, 0.3, 0.05, 0.1])


def test_pb2_exploiting_trial_takes_modelled_range_and_neighbouring_choice(measure):
    rates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    gains = [0.0, 0.2, 0.5, 0.25, 0.05]
    trials = [
        trial_with(number, rate, [measure(1, gain)])
        for number, (rate, gain) in enumerate(zip(rates, gains, strict=True))
    ]
    chosen = PB2(SPACE, 3, PopulationSettings(5, 5, 1, 4)).next_trial_to_resume(trials)
    assert (chosen.number, chosen.donor) == (0, 2)
    assert SPACE.parameters["learning_rate"].contains(chosen.params["learning_rate"])
    assert chosen.params["batch_size"] in (8, 16, 32)
    assert chosen == PB2(SPACE, 3, PopulationSettings(5, 5, 1, 4)).next_trial_to_resume(trials), (
        "repeated calls give the same result"
    )
