"""Tests of the simulated search, with the real controller and made-up curves."""

import math

import pytest

from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.trial import State, Trial
from hpo.simulation.tuner import simulate, temporary_controller

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "hidden_dropout": {"type": "uniform", "low": 0.0, "high": 0.3},
        "batch_size": {"type": "choice", "values": [16, 32]},
    },
    "fixed": {"epochs": 9},
}


def study_of(**options):
    return build_study({"name": "s", "space": SPACE, "trials": 20} | options)


@pytest.fixture
def curves(measure):
    """Curves that end higher the closer the learning rate is to 1e-3, and start at F1 = 0."""

    def curve(params):
        far = abs(math.log10(params["learning_rate"]) + 3)
        return [measure(epoch, max(0.0, 0.5 - far / 4) * (1 - 1 / epoch), far) for epoch in range(1, 10)]

    return curve


class RecordingTuner:
    """Wraps a controller, and records the running trials and all measurements."""

    def __init__(self, controller):
        self.controller, self.running, self.max_running, self.results = controller, set(), 0, []

    def next_trial(self):
        trial = self.controller.next_trial()
        if trial is not None:
            self.running.add(trial.number)
            self.max_running = max(self.max_running, len(self.running))
        return trial

    def on_result(self, number, measurement):
        self.results.append((number, measurement.epoch))
        continues = self.controller.on_result(number, measurement)
        if not continues:
            self.running.remove(number)
        return continues

    def on_trial_end(self, number, state, reason=""):
        self.running.remove(number)
        self.controller.on_trial_end(number, state, reason)


def run_simulation(curves, workers=4, **options):
    with temporary_controller(study_of(**options)) as controller:
        tuner = RecordingTuner(controller)
        progress = simulate(tuner, curves, workers)
        assert not tuner.running
        return controller, tuner, progress


@pytest.mark.parametrize("algorithm", ["asha", "random", "grid"])
def test_simulate_with_the_same_seed_repeats_the_search(curves, algorithm):
    first, again = (run_simulation(curves, algorithm=algorithm) for _ in range(2))
    assert first[0].trials == again[0].trials
    assert first[2] == again[2]
    assert first[0].trials != run_simulation(curves, algorithm=algorithm, seed=1)[0].trials


def test_simulate_runs_all_trials_and_counts_their_epochs(curves):
    controller, tuner, progress = run_simulation(curves)
    assert controller.finished
    assert len(controller.trials) == 20
    assert progress[-1].epochs == controller.epochs == len(tuner.results)
    assert progress[-1].f1 == max(trial.best.f1 for trial in controller.trials)
    assert {trial.state for trial in controller.trials} == {State.COMPLETE, State.STOPPED}


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_simulate_with_n_workers_runs_n_trials_in_parallel(curves, workers):
    _, tuner, progress = run_simulation(curves, workers, algorithm="random", trials=24)
    assert tuner.max_running == workers
    assert max(point.running for point in progress) == workers
    assert progress[-1].seconds == 24 * 9 / workers
    assert [point.seconds for point in progress] == sorted(point.seconds for point in progress)


def test_simulate_reports_each_epoch_of_a_trial_once_and_in_order(curves):
    _, tuner, _ = run_simulation(curves)
    for number in range(20):
        epochs = [epoch for trial, epoch in tuner.results if trial == number]
        assert epochs == list(range(1, len(epochs) + 1))


def test_simulate_with_seconds_per_epoch_ignores_the_time_of_the_curve(curves):
    with temporary_controller(study_of(algorithm="random", trials=1)) as controller:
        assert simulate(controller, curves, 1, seconds_per_epoch=7.0)[-1].seconds == 63


def test_simulate_stops_when_until_is_true(curves):
    with temporary_controller(study_of(trials=100)) as controller:
        progress = simulate(controller, curves, 4, until=lambda point: point.epochs >= 50)
    assert progress[-1].epochs == 50


def test_temporary_controller_leaves_no_file_and_never_syncs(curves, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: pytest.fail("syncs to disk"))
    controller, _, _ = run_simulation(curves)
    assert not controller.folder.path.exists()


def test_asha_with_f1_0_at_the_first_rung_compares_losses(curves):
    """If ties passed, no trial would stop before the second rung."""
    controller, _, _ = run_simulation(curves, workers=1, trials=30)
    assert {trial.measurements[0].f1 for trial in controller.trials} == {0.0}
    stopped = [trial for trial in controller.trials if trial.epochs == 1]
    passed = [trial for trial in controller.trials if trial.epochs > 1]
    assert len(stopped) >= 10
    losses = [[trial.measurements[0].loss for trial in group] for group in (passed, stopped)]
    assert min(losses[0]) == min(map(min, losses))
    assert sum(losses[0]) / len(losses[0]) < sum(losses[1]) / len(losses[1])


def test_asha_with_f1_always_0_stops_trials_at_every_rung(measure):
    def flat(params):
        return [measure(epoch, 0.0, 1 + params["learning_rate"]) for epoch in range(1, 10)]

    controller, _, progress = run_simulation(flat, workers=1, trials=30)
    assert sum(trial.state == State.COMPLETE for trial in controller.trials) < 15
    assert progress[-1].epochs < 30 * 9 / 2


def test_asha_reaches_a_score_in_fewer_epochs_than_random(curves):
    spent = {"asha": 0.0, "random": 0.0}
    for algorithm in spent:
        for seed in range(5):
            with temporary_controller(study_of(algorithm=algorithm, seed=seed, trials=200)) as controller:
                progress = simulate(controller, curves, 4, until=lambda m: m.f1 >= 0.43 or m.epochs >= 400)
            spent[algorithm] += progress[-1].epochs
    assert spent["asha"] < spent["random"] / 1.5


class PausingTuner:
    """Two trials; each pauses after its third epoch until both have."""

    def __init__(self):
        self.trials = [Trial(number, {"learning_rate": 1e-3}, 0) for number in range(2)]
        self.waiting = list(self.trials)
        self.log = []

    def next_trial(self):
        if not self.waiting and all(trial.state == State.PAUSED for trial in self.trials):
            self.waiting = list(self.trials)
        trial = self.waiting.pop(0) if self.waiting else None
        if trial:
            trial.state = State.RUNNING
        return trial

    def on_result(self, number, measurement):
        trial = self.trials[number]
        trial.measurements.append(measurement)
        self.log.append((number, measurement.epoch))
        if measurement.epoch == 3:
            trial.state = State.PAUSED
        return measurement.epoch != 3

    def on_trial_end(self, number, state, reason=""):
        self.trials[number].state = state


def test_simulate_resumes_a_paused_trial_at_its_epoch(curves):
    tuner = PausingTuner()
    progress = simulate(tuner, curves, 1)
    assert tuner.log == [(n, e) for part in (range(1, 4), range(4, 10)) for n in (0, 1) for e in part]
    assert (progress[-1].epochs, progress[-1].seconds) == (18, 18)
    assert all(trial.state == State.COMPLETE for trial in tuner.trials)


def test_journal_of_a_simulation_restores_the_trials(curves):
    with temporary_controller(study_of()) as controller:
        simulate(controller, curves, 2)
        assert TrialController(controller.study, controller.folder).trials == controller.trials
