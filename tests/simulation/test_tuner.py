"""Searches in simulated time: the controller as it is, curves in the place of training runs."""

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
    """Curves whose end lies the higher, the nearer the learning rate is to 1e-3; F1 is 0 at first."""

    def curve(params):
        far = abs(math.log10(params["learning_rate"]) + 3)
        return [measure(epoch, max(0.0, 0.5 - far / 4) * (1 - 1 / epoch), far) for epoch in range(1, 10)]

    return curve


class Listening:
    """A head that counts: who runs at the same time, and what every trial has measured."""

    def __init__(self, controller):
        self.controller, self.running, self.most, self.heard = controller, set(), 0, []

    def next_trial(self):
        trial = self.controller.next_trial()
        if trial is not None:
            self.running.add(trial.number)
            self.most = max(self.most, len(self.running))
        return trial

    def on_result(self, number, measurement):
        self.heard.append((number, measurement.epoch))
        continues = self.controller.on_result(number, measurement)
        if not continues:
            self.running.remove(number)
        return continues

    def on_trial_end(self, number, state, reason=""):
        self.running.remove(number)
        self.controller.on_trial_end(number, state, reason)


def play(curves, workers=4, **options):
    with temporary_controller(study_of(**options)) as controller:
        head = Listening(controller)
        moments = simulate(head, curves, workers)
        assert not head.running
        return controller, head, moments


@pytest.mark.parametrize("algorithm", ["asha", "random", "grid"])
def test_the_same_seed_makes_the_same_search(curves, algorithm):
    first, again = (play(curves, algorithm=algorithm) for _ in range(2))
    assert first[0].trials == again[0].trials
    assert first[2] == again[2]
    assert first[0].trials != play(curves, algorithm=algorithm, seed=1)[0].trials


def test_a_search_spends_its_trials_and_counts_their_epochs(curves):
    controller, head, moments = play(curves)
    assert controller.finished
    assert len(controller.trials) == 20
    assert moments[-1].epochs == controller.epochs == len(head.heard)
    assert moments[-1].f1 == max(trial.best.f1 for trial in controller.trials)
    assert {trial.state for trial in controller.trials} == {State.COMPLETE, State.STOPPED}


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_so_many_trials_run_side_by_side_and_time_is_shared_among_them(curves, workers):
    _, head, moments = play(curves, workers, algorithm="random", trials=24)
    assert head.most == workers
    assert max(moment.running for moment in moments) == workers
    assert moments[-1].seconds == 24 * 9 / workers
    assert [moment.seconds for moment in moments] == sorted(moment.seconds for moment in moments)


def test_each_trial_measures_its_epochs_in_order_and_each_once(curves):
    _, head, _ = play(curves)
    for number in range(20):
        epochs = [epoch for trial, epoch in head.heard if trial == number]
        assert epochs == list(range(1, len(epochs) + 1))


def test_time_may_be_given_by_the_epoch(curves):
    with temporary_controller(study_of(algorithm="random", trials=1)) as controller:
        assert simulate(controller, curves, 1, seconds_per_epoch=7.0)[-1].seconds == 63


def test_a_search_stops_when_it_is_told_to(curves):
    with temporary_controller(study_of(trials=100)) as controller:
        moments = simulate(controller, curves, 4, until=lambda moment: moment.epochs >= 50)
    assert moments[-1].epochs == 50


def test_no_file_is_left_and_none_is_waited_for(curves, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: pytest.fail("waits for the disk"))
    controller, _, _ = play(curves)
    assert not controller.folder.path.exists()


def test_a_run_that_starts_at_f1_0_is_halved_by_its_loss(curves):
    """At the first rung all F1 are 0: a tie that passed there would stop nobody before the second."""
    controller, _, _ = play(curves, workers=1, trials=30)
    assert {trial.measurements[0].f1 for trial in controller.trials} == {0.0}
    stopped = [trial for trial in controller.trials if trial.epochs == 1]
    passed = [trial for trial in controller.trials if trial.epochs > 1]
    assert len(stopped) >= 10
    losses = [[trial.measurements[0].loss for trial in group] for group in (passed, stopped)]
    assert min(losses[0]) == min(map(min, losses))
    assert sum(losses[0]) / len(losses[0]) < sum(losses[1]) / len(losses[1])


def test_a_run_whose_f1_stays_0_is_halved_at_every_rung(measure):
    def flat(params):
        return [measure(epoch, 0.0, 1 + params["learning_rate"]) for epoch in range(1, 10)]

    controller, _, moments = play(flat, workers=1, trials=30)
    assert sum(trial.state == State.COMPLETE for trial in controller.trials) < 15
    assert moments[-1].epochs < 30 * 9 / 2


def test_asha_finds_as_good_a_score_as_random_in_fewer_epochs(curves):
    spent = {"asha": 0.0, "random": 0.0}
    for algorithm in spent:
        for seed in range(5):
            with temporary_controller(study_of(algorithm=algorithm, seed=seed, trials=200)) as controller:
                moments = simulate(controller, curves, 4, until=lambda m: m.f1 >= 0.43 or m.epochs >= 400)
            spent[algorithm] += moments[-1].epochs
    assert spent["asha"] < spent["random"] / 1.5


class Pausing:
    """Two trials, each of which pauses after its third epoch until both have."""

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


def test_a_paused_trial_goes_on_where_it_was(curves):
    head = Pausing()
    moments = simulate(head, curves, 1)
    assert head.log == [(n, e) for part in (range(1, 4), range(4, 10)) for n in (0, 1) for e in part]
    assert (moments[-1].epochs, moments[-1].seconds) == (18, 18)
    assert all(trial.state == State.COMPLETE for trial in head.trials)


def test_a_journal_of_a_simulation_is_the_conductors_own(curves):
    with temporary_controller(study_of()) as controller:
        simulate(controller, curves, 2)
        assert TrialController(controller.study, controller.folder).trials == controller.trials
