"""Tests of the default trial, and of configurations repeated under several seeds."""

import os

import pytest

from hpo.config.algorithms import ALGORITHMS
from hpo.config.domain import Domain
from hpo.config.search_space import Space
from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.search.controller import TrialController
from hpo.search.trial import REPORTED_TRIAL_COUNTS, State, Trial, best_after_counts
from hpo.search.worker import TrialRunner
from hpo.simulation.tuner import simulate
from hpo.storage.study_folder import StudyFolder

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "batch_size": {"type": "choice", "values": [4, 8]},
    },
    "fixed": {"epochs": 9},
    "points_to_evaluate": [{"learning_rate": 1e-3, "batch_size": 4}],
}
DEFAULTS = {"learning_rate": 5e-5, "batch_size": 8}
RANGE = {"parameters": {"learning_rate": SPACE["parameters"]["learning_rate"]}}
"""A space without choices, each value of which would keep a checkpoint."""


def study_of(**options):
    return build_study({"name": "s", "space": SPACE, "trials": 12} | options)


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def work(controller, measure, f1_of):
    while (trial := controller.next_trial()) is not None:
        for epoch in range(int(trial.position) + 1, 10):
            if not controller.on_result(trial.number, measure(epoch, f1_of(trial, epoch))):
                break
        else:
            controller.on_trial_end(trial.number, State.COMPLETE)


def worst_first(trial, epoch):
    return 0.001 * epoch + 0.01 * trial.number


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_default_trial_comes_first_and_is_never_stopped(tmp_path, measure, algorithm):
    def curve(params):
        score = 0.0 if params == DEFAULTS else 0.5 + params["learning_rate"]
        return [measure(epoch, score * epoch / 10) for epoch in range(1, 10)]

    controller = TrialController(study_of(algorithm=algorithm), StudyFolder("s", tmp_path))
    simulate(controller, curve, workers=4)
    first, second = controller.trials[:2]
    assert first.params == DEFAULTS
    assert not first.changes
    assert (first.state, first.epochs) == (State.COMPLETE, 9)
    if not ALGORITHMS[algorithm].population_based:
        assert second.params == SPACE["points_to_evaluate"][0]
    if ALGORITHMS[algorithm].stops:
        assert any(trial.state == State.STOPPED for trial in controller.trials)
    assert controller.finished


@pytest.mark.parametrize("algorithm", ["pbt", "pb2"])
def test_population_of_two_never_changes_the_default_trial(tmp_path, measure, algorithm):
    study = study_of(algorithm=algorithm, trials=2, population_size=2)
    controller = TrialController(study, StudyFolder("s", tmp_path))
    work(controller, measure, lambda trial, epoch: 0.1 * epoch if trial.number else 0.01)
    assert not any(trial.changes for trial in controller.trials), "a better member has nothing to copy"


def test_study_without_baseline_starts_with_its_first_point(tmp_path):
    controller = TrialController(study_of(baseline=False), StudyFolder("s", tmp_path))
    assert controller.next_trial().params == SPACE["points_to_evaluate"][0]


def test_grid_containing_the_defaults_tries_them_once(tmp_path, measure):
    choice = {"type": "choice", "values": [3e-5, 5e-5]}
    space = {"parameters": SPACE["parameters"] | {"learning_rate": choice}, "fixed": {"epochs": 9}}
    controller = TrialController(study_of(space=space, algorithm="grid"), StudyFolder("s", tmp_path))
    work(controller, measure, worst_first)
    tried = [tuple(trial.params.values()) for trial in controller.trials]
    assert len(tried) == len(set(tried)) == 4
    assert tried[0] == (5e-5, 8)


@pytest.mark.parametrize(
    ("domain", "value", "nearest"),
    [
        ({"type": "loguniform", "low": 1e-4, "high": 1e-2}, 5e-5, 1e-4),
        ({"type": "uniform", "low": 0.0, "high": 0.2}, 0.1, 0.1),
        ({"type": "int", "low": 1, "high": 4}, 9, 4),
        ({"type": "int", "low": 1, "high": 4}, None, 1),
        ({"type": "choice", "values": [4, 8]}, 32, 8),
        ({"type": "choice", "values": ["cosine", "constant"]}, "linear", "cosine"),
        ({"type": "choice", "values": ["cosine", "linear"]}, "linear", "linear"),
    ],
)
def test_nearest_moves_a_value_into_the_domain(domain, value, nearest):
    assert Domain(**domain).nearest(value) == nearest


def test_space_defaults_are_those_of_the_training_config():
    assert Space.model_validate(SPACE).defaults == DEFAULTS


def test_checkpoint_of_the_default_trial_is_always_kept(tmp_path, measure):
    folder = StudyFolder("s", tmp_path)
    controller = TrialController(study_of(algorithm="random", keep_checkpoints=1, space=RANGE), folder)
    run = TrialRunner(controller.study, folder, "tiny", {(512, 0): folder.path})
    for f1 in (0.1, 0.5, 0.4):
        number = controller.next_trial().number
        if place := run.checkpoint_dir(number, {}, measure(1, f1)):
            place.mkdir(parents=True)
        controller.on_result(number, measure(1, f1))
        controller.on_trial_end(number, State.COMPLETE)
    assert sorted(path.name for path in folder.complete_checkpoints()) == ["0", "1"]
    assert run.checkpoint_dir(0, {}, measure(2, 0.0)) == folder.checkpoint(0)
    assert run.checkpoint_dir(3, {}, measure(2, 0.0)) is None


def test_checkpoint_of_the_best_after_ten_trials_is_kept(tmp_path, measure):
    folder = StudyFolder("s", tmp_path)
    controller = TrialController(
        study_of(algorithm="random", keep_checkpoints=1, space=RANGE, baseline=False), folder
    )
    for number in range(12):
        controller.next_trial()
        folder.checkpoint(number).mkdir(parents=True)
        controller.on_result(number, measure(1, {3: 0.5, 11: 0.6}.get(number, 0.1)))
        controller.on_trial_end(number, State.COMPLETE)
    assert sorted(path.name for path in folder.complete_checkpoints()) == ["11", "3"]


def test_best_after_counts_returns_the_best_of_the_first_n_trials(measure):
    trials = [Trial(n, {}, 0, State.COMPLETE, [measure(1, n / 100)]) for n in range(60)]
    trials[26].state = State.FAILED
    leaders = best_after_counts(trials, 50)
    assert {count: trial.number for count, trial in leaders.items()} == {10: 9, 27: 25, 50: 49}
    assert set(leaders) <= set(REPORTED_TRIAL_COUNTS)


@pytest.mark.parametrize("algorithm", ["grid", "random"])
def test_study_with_seeds_runs_each_configuration_under_all_seeds(tmp_path, measure, algorithm):
    study = study_of(algorithm=algorithm, seeds=3, trials=4, seed=7)
    controller = TrialController(study, StudyFolder("s", tmp_path))
    work(controller, measure, worst_first)
    assert len(controller.trials) == 12
    assert [trial.seed for trial in controller.trials] == [7, 8, 9] * 4
    configurations = [tuple(trial.params.items()) for trial in controller.trials]
    assert [configurations[place : place + 3] for place in range(0, 12, 3)] == [
        [each] * 3 for each in dict.fromkeys(configurations)
    ]
    assert configurations[0] == tuple(DEFAULTS.items())
    assert controller.finished


def test_grid_with_seeds_ends_when_it_is_complete(tmp_path, measure):
    space = SPACE | {"points_to_evaluate": []}
    study = study_of(algorithm="grid", seeds=2, trials=50, space=space)
    controller = TrialController(study, StudyFolder("s", tmp_path))
    work(controller, measure, worst_first)
    assert len(controller.trials) == (1 + 3 * 2) * 2, "the defaults, and a grid of three by two"


@pytest.mark.parametrize("algorithm", [name for name, each in ALGORITHMS.items() if not each.repeats])
def test_study_with_seeds_for_a_stopping_algorithm_raises(algorithm):
    with pytest.raises(UserError, match=f"seeds: must be 1 for {algorithm}.*hpo rerank STUDY --seeds 5"):
        study_of(algorithm=algorithm, seeds=5)


def test_study_with_seeds_beyond_32_bits_raises():
    with pytest.raises(UserError, match="seed \\+ seeds"):
        study_of(algorithm="grid", seeds=5, seed=2**32 - 1)


def test_restart_between_seeds_gives_the_same_trials(tmp_path, measure):
    study = study_of(algorithm="random", seeds=3, trials=3)
    whole = TrialController(study, StudyFolder("s", tmp_path / "whole"))
    work(whole, measure, worst_first)
    folder = StudyFolder("s", tmp_path / "cut")
    for _ in range(4):
        before = TrialController(study, folder)
        trial = before.next_trial()
        before.on_result(trial.number, measure(1, worst_first(trial, 1)))
    after = TrialController(study, folder)
    work(after, measure, worst_first)
    assert after.trials == whole.trials
