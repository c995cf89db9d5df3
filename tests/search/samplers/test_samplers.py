"""The contract of every sampler, then tests of single samplers."""

import json
import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.config.search_space import Space
from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.search.samplers import SAMPLERS, build_sampler
from hpo.search.samplers.optuna_tpe import value_of
from hpo.search.trial import State, Trial

SPACE = Space.model_validate(
    {
        "parameters": {
            "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
            "weight_decay": {"type": "uniform", "low": 0, "high": 0.2},
            "epochs": {"type": "int", "low": 2, "high": 5},
            "lr_schedule": {"type": "choice", "values": ["linear", "cosine"]},
            "batch_size": {"type": "choice", "values": [16, 32, 64]},
        }
    }
)
POINTS = (
    {"learning_rate": 3e-4, "weight_decay": 0.01, "epochs": 3, "lr_schedule": "linear", "batch_size": 32},
    {"learning_rate": 1e-2, "weight_decay": 0.0, "epochs": 5, "lr_schedule": "cosine", "batch_size": 16},
)
ENOUGH = 14
"""Number of trials after which every sampler uses its model."""

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


def objective(params):
    return 1 - abs(math.log10(params["learning_rate"]) + 3.5) / 4 - abs(params["weight_decay"] - 0.05)


def record(number, params, measure, state=State.COMPLETE):
    return Trial(number, params, 0, state, [measure(1, objective(params))])


def simulate(sampler, measure, count, states=(State.COMPLETE,)):
    """Return the trials of a search with one worker, which end in the given states in turn."""
    trials = []
    for number in range(count):
        params = sampler.suggest(number, trials)
        trials.append(record(number, params, measure, states[number % len(states)]))
    return trials


def check(params, space=SPACE):
    assert list(params) == list(space.parameters)
    for name, value in params.items():
        assert type(value) in (int, float, str), f"{name} is not a plain value: {value!r}"
        assert space.parameters[name].contains(value), f"{name} = {value!r}"
    assert json.loads(json.dumps(params, allow_nan=False)) == params
    TrainingConfig.model_validate(params)


@every_sampler
def test_suggest_returns_plain_valid_training_configurations(name, measure):
    for trial in simulate(build_sampler(name, SPACE, 1), measure, ENOUGH):
        check(trial.params)


@every_sampler
@settings(max_examples=15)
@given(data=st.data())
def test_suggest_any_space_returns_values_in_their_domains(name, data):
    low = data.draw(st.floats(1e-7, 0.4))
    first, width = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 30))
    space = Space.model_validate(
        {
            "parameters": {
                "learning_rate": {"type": "loguniform", "low": low, "high": data.draw(st.floats(0.5, 1))},
                "weight_decay": {"type": "uniform", "low": low / 2, "high": low},
                "epochs": {"type": "int", "low": first, "high": first + width},
                "label_alignment": {"type": "choice", "values": ["all"]},
            }
        }
    )
    number = data.draw(st.integers(0, 10**6))
    check(build_sampler(name, space, data.draw(st.integers(0, 2**32 - 1))).suggest(number, []), space)


@every_sampler
def test_suggest_new_sampler_continues_like_the_old_one(name, measure):
    old = build_sampler(name, SPACE, 7)
    trials = simulate(old, measure, ENOUGH, tuple(State))
    again = [build_sampler(name, SPACE, 7).suggest(n, trials[:n]) for n in (0, 1, ENOUGH - 1)]
    assert again == [trials[n].params for n in (0, 1, ENOUGH - 1)]
    assert old.suggest(ENOUGH, trials) == old.suggest(ENOUGH, trials), "suggest has no side effects"


@every_sampler
def test_suggest_history_read_from_json_gives_the_same_proposal(name, measure):
    sampler = build_sampler(name, SPACE, 7)
    trials = simulate(sampler, measure, ENOUGH)
    stored = [Trial(t.number, json.loads(json.dumps(t.params)), 0, t.state, t.measurements) for t in trials]
    assert sampler.suggest(ENOUGH, stored) == sampler.suggest(ENOUGH, trials)


@every_sampler
def test_suggest_other_seed_or_number_gives_other_proposals(name, measure):
    first = simulate(build_sampler(name, SPACE, 1), measure, 4)
    second = simulate(build_sampler(name, SPACE, 2), measure, 4)
    assert [t.params for t in first] != [t.params for t in second]
    assert len({json.dumps(t.params) for t in first}) == 4


@every_sampler
def test_suggest_points_to_evaluate_come_first_in_order(name, measure):
    sampler = build_sampler(name, SPACE.model_copy(update={"points_to_evaluate": POINTS}), 1)
    trials = simulate(sampler, measure, 4)
    assert [trial.params for trial in trials[:2]] == list(POINTS)
    trials[0].params["epochs"] = 99
    assert sampler.suggest(0, []) == POINTS[0], "suggest returns a copy"


@every_sampler
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("measured", [True, False])
def test_suggest_any_trial_state_is_accepted(name, state, measured, measure):
    trials = simulate(build_sampler("random", SPACE, 3), measure, ENOUGH)
    for trial in trials[::2]:
        trial.state = state
        if not measured:
            trial.measurements.clear()
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


@every_sampler
def test_suggest_only_failed_trials_is_accepted(name, measure):
    trials = [Trial(n, dict(POINTS[0]), 0, State.FAILED) for n in range(ENOUGH)]
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


@every_sampler
def test_suggest_equal_scores_are_accepted(name, measure):
    trials = simulate(build_sampler("random", SPACE, 3), measure, ENOUGH)
    for trial in trials:
        trial.measurements[:] = [measure(1, 0.0, 1.0)]
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


def test_build_sampler_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match=r"sampler: unknown sampler \(got 'skopt'; known: optuna, hyperopt"):
        build_sampler("skopt", SPACE, 0)


@pytest.mark.parametrize("name", ["optuna", "hyperopt", "bohb"])
def test_suggest_model_beats_random_search(name, measure):
    def mean_of_the_later(sampler):
        later = [
            trial.measurements[0].f1
            for seed in range(3)
            for trial in simulate(build_sampler(sampler, SPACE, seed), measure, 30)[15:]
        ]
        return sum(later) / len(later)

    assert mean_of_the_later(name) > mean_of_the_later("random") + 0.05


@pytest.mark.parametrize("name", ["optuna", "hyperopt", "bohb"])
def test_suggest_model_ignores_failed_trials(name, measure):
    trials = simulate(build_sampler("random", SPACE, 3), measure, 30)
    for trial in trials[:15]:
        trial.state = State.FAILED
    others = [Trial(t.number, t.params, 0, t.state, [measure(1, 0.99)]) for t in trials[:15]] + trials[15:]
    sampler = build_sampler(name, SPACE, 1)
    assert sampler.suggest(30, trials) == sampler.suggest(30, others)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_value_of_orders_like_the_sort_key(a, b, loss_a, loss_b):
    first, second = (a / 10**6, -loss_a), (b / 10**6, -loss_b)
    if a != b:
        assert (value_of(first) < value_of(second)) == (first < second)
    else:
        assert (value_of(first) <= value_of(second)) >= (first <= second)


def test_grid_tries_every_combination_once_then_returns_none(measure):
    sampler = build_sampler("grid", SPACE, 5)
    levels = [parameter.levels for parameter in SPACE.parameters.values()]
    size = math.prod(map(len, levels))
    trials = simulate(sampler, measure, size)
    assert sorted(tuple(trial.params.values()) for trial in trials) == sorted(product(*levels))
    assert sampler.suggest(size, trials) is None


def test_grid_does_not_repeat_a_point_to_evaluate(measure):
    space = SPACE.model_copy(update={"points_to_evaluate": POINTS[1:]})
    size = math.prod(len(parameter.levels) for parameter in SPACE.parameters.values())
    sampler = build_sampler("grid", space, 5)
    trials = simulate(sampler, measure, size)
    assert len({tuple(trial.params.values()) for trial in trials}) == size
    assert sampler.suggest(size, trials) is None


def test_random_draws_cover_the_whole_domain(measure):
    trials = simulate(build_sampler("random", SPACE, 1), measure, 400)
    rates = [math.log10(trial.params["learning_rate"]) for trial in trials]
    for decade in (-5, -4, -3):
        assert 90 < sum(decade <= rate < decade + 1 for rate in rates) < 180
    assert {trial.params["epochs"] for trial in trials} == {2, 3, 4, 5}
    assert {trial.params["batch_size"] for trial in trials} == {16, 32, 64}
