"""The contract of every scheduler, run over every algorithm."""

import pytest

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import build_study
from hpo.search.controller import TrialController
from hpo.search.schedulers import SCHEDULERS, build_scheduler
from hpo.search.schedulers.base import NoStopping
from hpo.search.trial import State
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "hidden_dropout": {"type": "uniform", "low": 0.0, "high": 0.3},
    },
    "fixed": {"epochs": 4, "evals_per_epoch": 2},
}
TRIALS = 7

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@pytest.fixture
def controller_of(tmp_path):
    def build(algorithm, name="s", **options):
        settings = {
            "name": "s",
            "space": SPACE,
            "trials": TRIALS,
            "reduction_factor": 2,
            "algorithm": algorithm,
        }
        if ALGORITHMS[algorithm].population_based:
            settings["population_size"] = 5
        return TrialController(build_study(settings | options), StudyFolder(name, tmp_path))

    return build


def outcome(controller):
    return [
        (trial.params, trial.state, trial.changes, [(m.epoch, m.f1) for m in trial.measurements])
        for trial in controller.trials
    ]


def test_schedulers_every_registered_name_belongs_to_an_algorithm():
    assert {algorithm.scheduler for algorithm in ALGORITHMS.values()} == set(SCHEDULERS)


@every_algorithm
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("fails", [(), {(1, 0.5), (3, 1.0)}], ids=["no-failures", "failures"])
def test_scheduler_any_search_finishes_within_its_trials(
    controller_of, run_workers, algorithm, workers, fails
):
    controller = run_workers(controller_of(algorithm), fails, workers)
    assert controller.finished
    assert len(controller.trials) <= TRIALS
    assert any(trial.state == State.COMPLETE for trial in controller.trials)
    assert not any(trial.is_open for trial in controller.trials)


@every_algorithm
def test_scheduler_default_configuration_trains_to_the_last_epoch(controller_of, run_workers, algorithm):
    first, *_ = run_workers(controller_of(algorithm), workers=2).trials
    assert (first.state, first.epochs, first.changes) == (State.COMPLETE, 4, [])


@every_algorithm
def test_scheduler_restart_after_any_journal_line_gives_the_same_trials(
    controller_of, make_worker, run_workers, algorithm
):
    whole = run_workers(controller_of(algorithm, "whole", baseline=False))
    lines = len(list(read_lines(whole.folder.trials)))
    for cut in range(1, lines, 9):
        worker = make_worker(controller_of(algorithm, f"cut{cut}", baseline=False))
        while len(list(read_lines(worker.controller.folder.trials))) < cut:
            worker.step()
        resumed = run_workers(controller_of(algorithm, f"cut{cut}", baseline=False))
        assert outcome(resumed) == outcome(whole), f"after {cut} lines"


@every_algorithm
@pytest.mark.parametrize("workers", [1, 3])
def test_checkpoint_slots_bounds_the_snapshots_of_a_search(controller_of, run_workers, algorithm, workers):
    controller = controller_of(algorithm)
    slots = build_scheduler(controller.study).checkpoint_slots(workers)
    found = []

    def count():
        found.append(sum(path.is_dir() for path in controller.folder.snapshots.glob("*")))

    run_workers(controller, workers=workers, look=count)
    assert 0 < max(found) <= slots


@every_algorithm
def test_expected_epochs_is_at_most_those_of_all_trials(controller_of, algorithm):
    study = controller_of(algorithm).study
    expected = build_scheduler(study).expected_epochs(TRIALS, 4)
    assert 0 < expected <= TRIALS * 4
    if isinstance(build_scheduler(study), NoStopping):
        assert expected == TRIALS * 4


def test_expected_epochs_asha_matches_hand_computed_sum():
    study = build_study({"algorithm": "asha", "trials": 8, "reduction_factor": 2, "space": SPACE})
    assert build_scheduler(study).expected_epochs(8, 4) == 8 * 1 + 4 * 1 + 2 * 2
