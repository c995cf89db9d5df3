"""One contract for every sampler; what is special to one stands below."""

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
GUESSES = (
    {"learning_rate": 3e-4, "weight_decay": 0.01, "epochs": 3, "lr_schedule": "linear", "batch_size": 32},
    {"learning_rate": 1e-2, "weight_decay": 0.0, "epochs": 5, "lr_schedule": "cosine", "batch_size": 16},
)
ENOUGH = 14
"""Trials after which every sampler is past its random start."""

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


def objective(params):
    return 1 - abs(math.log10(params["learning_rate"]) + 3.5) / 4 - abs(params["weight_decay"] - 0.05)


def record(number, params, measure, state=State.COMPLETE):
    return Trial(number, params, 0, state, [measure(1, objective(params))])


def course(sampler, measure, count, states=(State.COMPLETE,)):
    """The trials of a search with one worker, whose ends take turns."""
    trials = []
    for number in range(count):
        params = sampler.suggest(number, trials)
        trials.append(record(number, params, measure, states[number % len(states)]))
    return trials


def check(params, space=SPACE):
    assert list(params) == list(space.parameters)
    for name, value in params.items():
        assert type(value) in (int, float, str), f"{name} is no plain value: {value!r}"
        assert space.parameters[name].contains(value), f"{name} = {value!r}"
    assert json.loads(json.dumps(params, allow_nan=False)) == params
    TrainingConfig.model_validate(params)


@every_sampler
def test_every_suggestion_is_plain_in_its_domain_and_a_recipe(name, measure):
    for trial in course(build_sampler(name, SPACE, 1), measure, ENOUGH):
        check(trial.params)


@every_sampler
@settings(max_examples=15)
@given(data=st.data())
def test_so_it_is_for_any_space(name, data):
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
def test_a_new_sampler_goes_on_as_the_old_one_would(name, measure):
    old = build_sampler(name, SPACE, 7)
    trials = course(old, measure, ENOUGH, tuple(State))
    again = [build_sampler(name, SPACE, 7).suggest(n, trials[:n]) for n in (0, 1, ENOUGH - 1)]
    assert again == [trials[n].params for n in (0, 1, ENOUGH - 1)]
    assert old.suggest(ENOUGH, trials) == old.suggest(ENOUGH, trials), "asking changes nothing"


@every_sampler
def test_history_may_have_been_through_json(name, measure):
    sampler = build_sampler(name, SPACE, 7)
    trials = course(sampler, measure, ENOUGH)
    stored = [Trial(t.number, json.loads(json.dumps(t.params)), 0, t.state, t.measurements) for t in trials]
    assert sampler.suggest(ENOUGH, stored) == sampler.suggest(ENOUGH, trials)


@every_sampler
def test_seeds_differ_and_numbers_differ(name, measure):
    first = course(build_sampler(name, SPACE, 1), measure, 4)
    second = course(build_sampler(name, SPACE, 2), measure, 4)
    assert [t.params for t in first] != [t.params for t in second]
    assert len({json.dumps(t.params) for t in first}) == 4


@every_sampler
def test_first_guesses_come_first_and_in_order(name, measure):
    sampler = build_sampler(name, SPACE.model_copy(update={"points_to_evaluate": GUESSES}), 1)
    trials = course(sampler, measure, 4)
    assert [trial.params for trial in trials[:2]] == list(GUESSES)
    trials[0].params["epochs"] = 99
    assert sampler.suggest(0, []) == GUESSES[0], "what is handed out is a copy"


@every_sampler
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("measured", [True, False])
def test_any_history_is_borne(name, state, measured, measure):
    trials = course(build_sampler("random", SPACE, 3), measure, ENOUGH)
    for trial in trials[::2]:
        trial.state = state
        if not measured:
            trial.measurements.clear()
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


@every_sampler
def test_a_history_of_nothing_but_failures_is_borne(name, measure):
    trials = [Trial(n, dict(GUESSES[0]), 0, State.FAILED) for n in range(ENOUGH)]
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


@every_sampler
def test_equal_scores_are_borne(name, measure):
    trials = course(build_sampler("random", SPACE, 3), measure, ENOUGH)
    for trial in trials:
        trial.measurements[:] = [measure(1, 0.0, 1.0)]
    check(build_sampler(name, SPACE, 1).suggest(ENOUGH, trials))


def test_an_unknown_sampler_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"sampler: unknown sampler \(got 'skopt'; known: optuna, hyperopt"):
        build_sampler("skopt", SPACE, 0)


@pytest.mark.parametrize("name", ["optuna", "hyperopt", "bohb"])
def test_a_model_learns_where_random_search_does_not(name, measure):
    def mean_of_the_later(sampler):
        later = [
            trial.measurements[0].f1
            for seed in range(3)
            for trial in course(build_sampler(sampler, SPACE, seed), measure, 30)[15:]
        ]
        return sum(later) / len(later)

    assert mean_of_the_later(name) > mean_of_the_later("random") + 0.05


@pytest.mark.parametrize("name", ["optuna", "hyperopt", "bohb"])
def test_a_model_learns_nothing_from_failures(name, measure):
    trials = course(build_sampler("random", SPACE, 3), measure, 30)
    for trial in trials[:15]:
        trial.state = State.FAILED
    others = [Trial(t.number, t.params, 0, t.state, [measure(1, 0.99)]) for t in trials[:15]] + trials[15:]
    sampler = build_sampler(name, SPACE, 1)
    assert sampler.suggest(30, trials) == sampler.suggest(30, others)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_one_number_orders_scores_as_the_pair_does(a, b, loss_a, loss_b):
    first, second = (a / 10**6, -loss_a), (b / 10**6, -loss_b)
    if a != b:
        assert (value_of(first) < value_of(second)) == (first < second)
    else:
        assert (value_of(first) <= value_of(second)) >= (first <= second)


def test_the_grid_tries_every_combination_once_and_then_nothing(measure):
    sampler = build_sampler("grid", SPACE, 5)
    levels = [parameter.levels for parameter in SPACE.parameters.values()]
    size = math.prod(map(len, levels))
    trials = course(sampler, measure, size)
    assert sorted(tuple(trial.params.values()) for trial in trials) == sorted(product(*levels))
    assert sampler.suggest(size, trials) is None


def test_the_grid_does_not_repeat_a_guess_that_lies_on_it(measure):
    space = SPACE.model_copy(update={"points_to_evaluate": GUESSES[1:]})
    size = math.prod(len(parameter.levels) for parameter in SPACE.parameters.values())
    sampler = build_sampler("grid", space, 5)
    trials = course(sampler, measure, size)
    assert len({tuple(trial.params.values()) for trial in trials}) == size
    assert sampler.suggest(size, trials) is None


def test_random_draws_fill_the_whole_domain(measure):
    trials = course(build_sampler("random", SPACE, 1), measure, 400)
    rates = [math.log10(trial.params["learning_rate"]) for trial in trials]
    for decade in (-5, -4, -3):
        assert 90 < sum(decade <= rate < decade + 1 for rate in rates) < 180
    assert {trial.params["epochs"] for trial in trials} == {2, 3, 4, 5}
    assert {trial.params["batch_size"] for trial in trials} == {16, 32, 64}
