"""The BOHB sampler, and its comparison with the authors' implementation (`pip install -e '.[peers]'`)."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from hpo.config.search_space import Space
from hpo.search.samplers.bohb import (
    BOHB,
    MIN_BANDWIDTH,
    Density,
    draw_uniform,
    from_coordinate,
    split_observations,
    to_coordinate,
    truncated_normal,
)
from hpo.search.trial import State, Trial

SPACE = Space.model_validate(
    {
        "parameters": {
            "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
            "weight_decay": {"type": "uniform", "low": 0, "high": 0.2},
            "batch_size": {"type": "int", "low": 4, "high": 64},
            "lr_schedule": {"type": "choice", "values": ["linear", "cosine", "constant"]},
        }
    }
)
CHOICES = [0, 0, 0, 3]
FLOATS = ["learning_rate", "weight_decay"]
PROPOSALS = 200


def f1_of(params):
    best = {"linear": 0.0, "cosine": 0.02, "constant": -0.05}[params["lr_schedule"]]
    return 0.8 + best - (math.log10(params["learning_rate"]) + 3.5) ** 2 / 10 - params["weight_decay"]


def trials_of(count, measure, epochs=(1,), seed=3):
    """Return uniformly drawn trials, measured at each of ``epochs``."""
    drawn = BOHB(SPACE, seed, rung_levels=epochs)
    every = [drawn.suggest(number, ()) for number in range(count)]
    return [
        Trial(
            number, params, 0, State.COMPLETE, [measure(e, f1_of(params) + 0.01 * e, number) for e in epochs]
        )
        for number, params in enumerate(every)
    ]


def proposals(trials, levels=(1,), count=PROPOSALS):
    sampler = BOHB(SPACE, 5, levels, random_fraction=0.0)
    return [sampler.suggest(number, trials) for number in range(count)]


@pytest.mark.parametrize("choices", [[0], [2], [3], [1]])
@given(st.data())
def test_density_over_the_whole_domain_sums_to_one(choices, data):
    values = st.integers(0, choices[0] - 1) if choices[0] else st.floats(0, 1)
    points = np.array(data.draw(st.lists(values, min_size=1, max_size=8)), dtype=float)[:, None]
    density = Density(points, choices)
    assert (density.at(points) > 0).all()
    if choices[0]:
        total = density.at(np.arange(choices[0], dtype=float)[:, None]).sum()
    else:
        width = density.bandwidths[0]
        grid = np.linspace(points.min() - 9 * width, points.max() + 9 * width, 20_001)
        total = integrate.trapezoid(density.at(grid[:, None]), grid)
    assert total == pytest.approx(1, abs=1e-2)


def test_density_bandwidths_match_hand_computed_reference_rule():
    points = np.array([[0.0, 0], [1.0, 1], [0.0, 0], [1.0, 1]])
    wide = Density(points, [0, 2]).bandwidths
    assert wide == pytest.approx([1.06 * 0.5 * 4 ** (-1 / 6)] * 2)
    assert Density(points, [0, 5]).bandwidths[1] < 4 / 5
    assert Density(4 * points, [0, 5]).bandwidths[1] == 4 / 5, "flat: all values are equally likely"
    assert Density(points[:1], [0, 2]).bandwidths.tolist() == [MIN_BANDWIDTH] * 2


@given(st.floats(0, 1), st.floats(1e-3, 10), st.floats(1e-6, 1 - 1e-6))
def test_truncated_normal_matches_scipy(mean, spread, quantile):
    expected = stats.truncnorm.ppf(quantile, -mean / spread, (1 - mean) / spread, loc=mean, scale=spread)
    assert truncated_normal(mean, spread, quantile) == pytest.approx(expected, abs=1e-6)


def test_density_draws_are_near_points_and_inside_the_domain(measure):
    points = np.array([[0.0, 0.5, 1.0, 2.0]])
    drawn = Density(points, CHOICES).draw(4000, np.random.default_rng(1))
    assert ((drawn >= 0) & (drawn <= [1, 1, 1, 2])).all()
    assert drawn[:, 1].std() == pytest.approx(3 * MIN_BANDWIDTH, rel=0.1)
    assert (drawn[:, 3] == 2).mean() > 0.99


@pytest.mark.parametrize(
    ("count", "good", "bad"), [(7, 5, 5), (9, 5, 5), (10, 5, 5), (20, 5, 15), (40, 6, 34), (100, 15, 85)]
)
def test_split_observations_sizes_match_the_paper(count, good, bad):
    """Four hyperparameters, so N_min = 5."""
    observed = np.arange(4.0 * count).reshape(count, 4)
    best, worst = split_observations(observed)
    assert (len(best), len(worst)) == (good, bad)
    assert (best == observed[:good]).all()
    assert (worst == observed[-bad:]).all()


def modelled(trials, levels):
    found = BOHB(SPACE, 0, levels).observations(trials)
    return None if found is None else len(found)


def test_observations_use_the_largest_level_with_enough_trials(measure):
    low, high = trials_of(10, measure, (1,)), trials_of(7, measure, (1, 3, 9), seed=4)
    for trial in low:
        trial.state = State.STOPPED
    assert modelled([*low, *high[:6]], (1, 3, 9)) == 16, "N_min + 2 = 7 are not yet at 3"
    assert modelled([*low, *high], (1, 3, 9)) == 7
    high[0].state = State.FAILED
    assert modelled([*low, *high], (1, 3, 9)) == 16
    assert modelled(low[:6], (1, 3, 9)) is None
    for trial in low:
        trial.state = State.RUNNING
    assert modelled(low, (1, 3, 9)) == 10, "a running trial counts at the rungs that it has reached"


def test_observations_are_ordered_by_f1_at_the_level_then_loss(measure):
    trials = trials_of(8, measure, (1, 3))
    for place, trial in enumerate(trials):
        trial.measurements = [measure(1, 0.5, place), measure(2, 0.9 - place / 10), measure(3, 0.5, -place)]
    encoded = [BOHB(SPACE, 0, (1,)).encode(trial.params) for trial in trials]
    assert BOHB(SPACE, 0, (1,)).observations(trials).tolist() == encoded
    assert BOHB(SPACE, 0, (1, 3)).observations(trials).tolist() == encoded[::-1]


def test_suggest_one_in_three_proposals_is_random(measure):
    trials = trials_of(60, measure)
    sampler, always = BOHB(SPACE, 5, (1,)), BOHB(SPACE, 5, (1,), random_fraction=1.0)
    drawn = sum(sampler.suggest(n, trials) == always.suggest(n, trials) for n in range(600))
    assert 160 < drawn < 240


def test_suggest_random_draws_cover_the_domain():
    sampler = BOHB(SPACE, 5, (1,))
    drawn = [sampler.suggest(number, ()) for number in range(600)]
    for name, domain in [("learning_rate", (-5, 3)), ("weight_decay", (0, 0.2))]:
        values = [math.log10(p[name]) if name == "learning_rate" else p[name] for p in drawn]
        assert stats.kstest(values, "uniform", args=domain).pvalue > 0.001
    assert {params["batch_size"] for params in drawn} == set(range(4, 65))
    assert len(draw_uniform(CHOICES, np.random.default_rng(1))) == 4


@given(st.floats(0, 1, exclude_max=True))
def test_encode_inverts_decode(coordinate):
    for parameter in SPACE.parameters.values():
        value = from_coordinate(parameter, coordinate)
        assert parameter.contains(value)
        assert from_coordinate(parameter, to_coordinate(parameter, value)) == pytest.approx(value)


def test_density_matches_statsmodels(measure):
    """The densities are equal if every value of a choice occurs and no bandwidth exceeds the flat one."""
    nonparametric = pytest.importorskip("statsmodels.nonparametric.api", reason=NOT_INSTALLED)
    points = BOHB(SPACE, 0, (1,)).observations(trials_of(60, measure))
    ours = Density(points, CHOICES)
    theirs = nonparametric.KDEMultivariate(points, var_type="cccu", bw="normal_reference")
    assert ours.bandwidths == pytest.approx(theirs.bw, rel=1e-12)
    at = np.array([draw_uniform(CHOICES, np.random.default_rng(number)) for number in range(50)])
    assert ours.at(at) == pytest.approx(theirs.pdf(at), rel=1e-9)


NOT_INSTALLED = "hpbandster is not installed: pip install -e '.[peers]'"


@pytest.fixture(scope="module")
def theirs(measure):
    """Proposals of hpbandster's model after sixty trials, and its densities."""
    generators = pytest.importorskip("hpbandster.optimizers.config_generators.bohb", reason=NOT_INSTALLED)
    generator = generators.BOHB(their_space(), random_fraction=0.0)
    for trial in trials_of(60, measure):
        job = SimpleNamespace(
            id=trial.number,
            exception=None,
            result={"loss": 1 - trial.measurements[0].f1},
            kwargs={"budget": 1.0, "config": trial.params},
        )
        generator.new_result(job)
    state = np.random.get_state()
    np.random.seed(11)
    try:
        drawn = [generator.get_config(1.0) for _ in range(PROPOSALS)]
    finally:
        np.random.set_state(state)
    assert all(facts["model_based_pick"] for _, facts in drawn)
    return [params for params, _ in drawn], generator.kde_models[1.0]


def their_space():
    import ConfigSpace

    space = ConfigSpace.ConfigurationSpace(seed=1)
    for name, each in SPACE.parameters.items():
        if each.values is not None:
            space.add(ConfigSpace.CategoricalHyperparameter(name, each.values))
        elif each.type == "int":
            space.add(ConfigSpace.UniformIntegerHyperparameter(name, *map(int, each.bounds)))
        else:
            log = each.type == "loguniform"
            space.add(ConfigSpace.UniformFloatHyperparameter(name, *each.bounds, log=log))
    return space


def test_split_observations_matches_hpbandster(theirs, measure):
    good, bad = split_observations(BOHB(SPACE, 0, (1,)).observations(trials_of(60, measure)))
    # hpbandster encodes integers and choices differently, and orders hyperparameters by name.
    kdes, columns = theirs[1], [sorted(SPACE.parameters).index(name) for name in FLOATS]
    assert good[:, :2] == pytest.approx(kdes["good"].data[:, columns])
    assert bad[:, :2] == pytest.approx(kdes["bad"].data[:, columns])


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "batch_size"])
def test_suggest_ranges_are_distributed_as_in_hpbandster(theirs, measure, name):
    ours = [params[name] for params in proposals(trials_of(60, measure))]
    result = stats.ks_2samp(ours, [params[name] for params in theirs[0]])
    assert result.pvalue > 0.001, f"{name}: D = {result.statistic:.3f}"


def test_suggest_choices_are_distributed_as_in_hpbandster(theirs, measure):
    ours = Counter(params["lr_schedule"] for params in proposals(trials_of(60, measure)))
    others = Counter(str(params["lr_schedule"]) for params in theirs[0])
    distance = sum(abs(ours[value] - others[value]) for value in SPACE.parameters["lr_schedule"].values) / 2
    assert distance / PROPOSALS < 0.12
