"""Population-based training: hand-computed decisions, and searches with a simulated worker."""

import random
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.domain import Domain
from hpo.config.search_space import Space
from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.search.controller import TrialController
from hpo.search.schedulers.base import Continuation, SchedulerDecision
from hpo.search.schedulers.pbt import PBT, PopulationSettings, perturb
from hpo.search.trial import ParamsChange, State, Trial, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import read_snapshot

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "hidden_dropout": {"type": "uniform", "low": 0.0, "high": 0.3},
        "batch_size": {"type": "choice", "values": [8, 16, 32]},
    },
    "fixed": {"epochs": 4, "evals_per_epoch": 2},
}
ALGORITHMS = ["pbt", "pb2"]


@pytest.fixture
def folder(tmp_path):
    return StudyFolder("s", tmp_path)


def study_of(**options):
    settings = {
        "name": "s",
        "space": SPACE,
        "trials": 8,
        "population_size": 6,
        "algorithm": "pbt",
        "baseline": False,
    }
    return build_study(settings | options)


def outcome(controller):
    return [
        (trial.params, trial.state, trial.changes, [(m.epoch, m.f1) for m in trial.measurements])
        for trial in controller.trials
    ]


def paused(number, measure, f1, epoch=1.0):
    trial = Trial(number, {"learning_rate": 1e-3 + number * 1e-5}, number, State.PAUSED)
    trial.measurements = [measure(epoch, f1)]
    return trial


RATE = Space.model_validate({"parameters": {"learning_rate": SPACE["parameters"]["learning_rate"]}})


def test_pbt_bottom_fifth_exploits_the_top_fifth_by_hand(measure):
    scores = [0.5, 0.1, 0.6, 0.9, 0.2, 0.4, 0.8, 0.3, 0.7, 0.55]
    trials = [paused(number, measure, f1) for number, f1 in enumerate(scores)]
    taken = []
    scheduler = PBT(RATE, 1, PopulationSettings(10, 10, 1, 4))
    while chosen := scheduler.next_trial_to_resume(trials):
        taken.append(chosen)
        trials[chosen.number].resume_from(1.0, chosen.params, chosen.donor)
    assert [each.number for each in taken] == [1, 4, 0, 2, 3, 5, 6, 7, 8, 9]
    assert {each.donor for each in taken[:2]} <= {3, 6}
    assert all(each == Continuation(each.number) for each in taken[2:])
    for each in taken[:2]:
        assert 1e-5 <= each.params["learning_rate"] <= 1e-2
        assert each.params["learning_rate"] != trials[each.donor].params["learning_rate"]


def test_pbt_two_trials_with_equal_f1_are_ordered_by_loss(measure):
    trials = [paused(0, measure, 0.5), paused(1, measure, 0.5)]
    trials[0].measurements = [measure(1.0, 0.5, loss=0.9)]
    chosen = PBT(RATE, 1, PopulationSettings(2, 2, 1, 4)).next_trial_to_resume(trials)
    assert (chosen.number, chosen.donor) == (0, 1)


def test_pbt_resumes_no_trial_until_all_reach_the_boundary(measure):
    scheduler = PBT(RATE, 1, PopulationSettings(3, 3, 1, 4))
    trials = [paused(0, measure, 0.5), paused(1, measure, 0.6)]
    assert scheduler.next_trial_to_resume(trials) is None, "the third has not started"
    assert scheduler.accepts_new_trial(trials, 3)
    trials.append(Trial(2, {"learning_rate": 1e-3}, 2, measurements=[measure(0.5, 0.1)]))
    assert scheduler.next_trial_to_resume(trials) is None, "the third still runs"
    trials[2].state = State.FAILED
    assert scheduler.next_trial_to_resume(trials).number == 0


def test_pbt_trial_pauses_at_boundaries_except_the_last_epoch(measure):
    scheduler, trial, pauses = PBT(RATE, 1, PopulationSettings(2, 2, 0.75, 2)), Trial(0, {}, 0), []
    for epoch in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0):
        trial.measurements.append(measure(epoch, 0.1))
        pauses.append(
            scheduler.on_trial_result(trial, trial.measurements[-1], [trial]) == SchedulerDecision.PAUSE
        )
    assert pauses == [False, False, True, False, False, True, False, False]


def test_pbt_trial_changed_at_a_boundary_is_not_paused_there_again(measure):
    trial = paused(0, measure, 0.5)
    scheduler = PBT(RATE, 1, PopulationSettings(2, 2, 1, 4))
    assert scheduler.on_trial_result(trial, trial.measurements[-1], [trial]) == SchedulerDecision.PAUSE
    trial.changes = [ParamsChange(0.0, {}, None), ParamsChange(1.0, {}, 1)]
    assert scheduler.on_trial_result(trial, trial.measurements[-1], [trial]) == SchedulerDecision.CONTINUE


DOMAINS = st.one_of(
    st.builds(
        lambda low, width: Domain(type="loguniform", low=low, high=low * width),
        st.floats(1e-6, 1.0), st.floats(1.01, 1e4),
    ),
    st.builds(
        lambda low, width: Domain(type="uniform", low=low, high=low + width),
        st.floats(0, 1.0), st.floats(0.01, 10),
    ),
    st.builds(
        lambda low, width: Domain(type="int", low=low, high=low + width),
        st.integers(0, 50), st.integers(1, 50),
    ),
    st.builds(
        lambda values: Domain(type="choice", values=values),
        st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True),
    ),
)  # fmt: skip


@given(DOMAINS, st.integers(0, 2**32 - 1), st.data())
def test_perturb_any_value_stays_in_its_domain(domain, seed, data):
    value = data.draw(st.sampled_from(domain.ends))
    generator = np.random.default_rng(seed)
    for _ in range(5):
        value = perturb(domain, value, generator)
        assert domain.contains(value)


def test_perturb_range_moves_by_a_fifth_or_resamples_with_a_quarter():
    domain, generator = Domain(type="uniform", low=0, high=10), np.random.default_rng(0)
    moved = Counter(round(perturb(domain, 5.0, generator), 6) for _ in range(4000))
    assert moved[4.0] + moved[6.0] == pytest.approx(3000, abs=120)
    assert moved[4.0] == pytest.approx(moved[6.0], abs=150)


def test_perturb_choice_moves_to_a_neighbour():
    domain, generator = Domain(type="choice", values=(8, 16, 32, 64, 128)), np.random.default_rng(0)
    assert {v for v, n in Counter(perturb(domain, 32, generator) for _ in range(900)).items() if n > 150} == {
        16, 64
    }  # fmt: skip
    assert Counter(perturb(domain, 8, generator) for _ in range(900))[16] > 600


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_population_search_completes_every_trial_and_journals_it(folder, algorithm, run_workers):
    controller = run_workers(TrialController(study_of(algorithm=algorithm), folder))
    assert controller.finished
    assert [trial.state for trial in controller.trials] == [State.COMPLETE] * 6
    assert all(trial.epochs == 4 and len(trial.measurements) == 8 for trial in controller.trials)
    copies = [change for trial in controller.trials for change in trial.changes if change.donor is not None]
    assert sorted(change.epoch for change in copies) == [1, 2, 3], "one of six at each boundary"
    assert read_trials(read_lines(folder.trials)) == controller.trials
    controller.close()
    assert read_trials(read_lines(folder.trials)) == controller.trials
    assert controller.no_trials_left(0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_population_search_workers_and_order_do_not_change_the_trials(tmp_path, algorithm, run_workers):
    found = []
    for number, workers in enumerate((1, 2, 3, 6, 9)):
        controller = TrialController(study_of(algorithm=algorithm), StudyFolder(f"s{number}", tmp_path))
        found.append(outcome(run_workers(controller, workers=workers, order=random.Random(number))))
        assert controller.finished
    assert all(each == found[0] for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_population_search_restart_after_any_journal_line_gives_the_same_trials(
    tmp_path, algorithm, make_worker, run_workers
):
    whole = run_workers(TrialController(study_of(algorithm=algorithm), StudyFolder("w", tmp_path)))
    lines = len(list(read_lines(whole.folder.trials)))
    for cut in range(1, lines, 1 if algorithm == "pbt" else 5):
        folder = StudyFolder(f"c{cut}", tmp_path)
        worker = make_worker(TrialController(study_of(algorithm=algorithm), folder))
        while len(list(read_lines(folder.trials))) < cut:
            worker.step()
        resumed = run_workers(TrialController(study_of(algorithm=algorithm), folder))
        assert outcome(resumed) == outcome(whole), f"after {cut} lines"


FAILURES = [
    {(2, 0.5)},
    {(2, 1.5), (6, 2.5)},
    {(0, 3.5), (1, 3.5)},
    {(number, 0.0) for number in range(6)},
    {(number, 1.0) for number in range(5)},
    {(number, 0.5 * (number % 7)) for number in range(8)},
]


@pytest.mark.parametrize("fails", FAILURES, ids=range(len(FAILURES)))
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_population_search_with_failures_finishes_within_max_trials(folder, fails, workers, run_workers):
    controller = TrialController(study_of(), folder)
    run_workers(controller, fails, workers, random.Random(workers))
    assert controller.finished
    assert len(controller.trials) <= 8
    for trial in controller.trials:
        assert trial.state in (State.COMPLETE, State.FAILED)
    assert read_trials(read_lines(folder.trials)) == controller.trials


def test_pbt_failed_trial_is_replaced_by_a_copy_of_the_best_at_the_next_boundary(folder, run_workers):
    controller = run_workers(TrialController(study_of(), folder), fails={(2, 1.5)}, workers=6)
    replacement = controller.trials[6]
    (copy,) = [change for change in replacement.changes if change.epoch == replacement.changes[0].epoch]
    assert copy.epoch == 2
    at_boundary = {t.number: m.f1 for t in controller.trials[:6] for m in t.measurements if m.epoch == 2}
    assert at_boundary[copy.donor] == max(at_boundary.values())
    assert replacement.measurements[0].epoch == 2.5
    assert replacement.measurements[0].f1 > at_boundary[copy.donor]
    assert replacement.state == State.COMPLETE
    assert len(controller.trials) == 7


@pytest.mark.parametrize("workers", [1, 3])
def test_pbt_missing_donor_snapshot_keeps_the_trials_own_weights(folder, workers, run_workers):
    controller = TrialController(study_of(), folder)
    lost = []

    def lose():
        states = [trial.state for trial in controller.trials]
        if states == [State.PAUSED] * 6 and not lost:
            best = max(controller.trials, key=lambda trial: trial.measurements[-1].sort_key)
            shutil.rmtree(folder.snapshot(best.number))
            lost.append(best.number)

    run_workers(controller, workers=workers, look=lose)
    assert lost and controller.finished
    assert [trial.state for trial in controller.trials] == [State.COMPLETE] * 6
    first = [change for trial in controller.trials for change in trial.changes if change.epoch == 1]
    assert [change.donor for change in first] == [None]


def test_pbt_snapshots_and_checkpoints_stay_within_their_bounds(folder, run_workers):
    ranges = {name: each for name, each in SPACE["parameters"].items() if each["type"] != "choice"}
    study = study_of(
        keep_checkpoints=1, space=SPACE | {"parameters": ranges}
    )  # a choice keeps a checkpoint of each value
    controller = TrialController(study, folder)

    def count():
        snapshots = [path for path in folder.snapshots.glob("*") if path.is_dir()]
        living = sum(trial.is_open for trial in controller.trials)
        assert len(snapshots) <= min(study.population_size, living)
        assert len(folder.complete_checkpoints()) <= living + study.keep_checkpoints

    run_workers(controller, fails={(1, 1.5), (3, 2.0)}, workers=3, look=count)
    assert len(folder.complete_checkpoints()) == study.keep_checkpoints
    assert not list(folder.snapshots.glob("*"))


def test_pbt_copied_snapshot_keeps_the_trials_own_best(folder, run_workers):
    controller = TrialController(study_of(), folder)
    seen = []

    def look():
        for trial in controller.trials:
            copied = trial.changes and trial.changes[-1].donor is not None
            if trial.state == State.RUNNING and copied and trial.position == trial.changes[-1].epoch:
                seen.append(read_snapshot(folder.snapshot(trial.number)).best == trial.best)

    run_workers(controller, fails={(2, 1.5)}, look=look)
    assert seen and all(seen)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"population_size": 9}, "population_size: must be at most trials = 8 (got 9)"),
        ({"perturbation_interval": 4}, "perturbation_interval: must be less than epochs = 4 (got 4.0)"),
        (
            {"perturbation_interval": 0.75},
            "perturbation_interval: must be a whole number of evaluations, of which an epoch has 2",
        ),
        ({"sampler": "hyperopt"}, "sampler: is not an option of pbt"),
        ({"space": {"parameters": {"epochs": {"type": "int", "low": 2, "high": 4}}}}, "epochs: cannot"),
        ({"algorithm": "pb2", "space": {"parameters": {"batch_size": {"type": "choice", "values": [8, 16]}}}},
         "space.parameters: need a continuous hyperparameter for pb2"),
    ],
)  # fmt: skip
def test_study_invalid_population_settings_are_rejected(options, rule):
    with pytest.raises(UserError) as refused:
        study_of(**options)
    assert rule in str(refused.value)


def test_study_default_population_is_at_most_the_trials():
    assert build_study({"algorithm": "pbt", "trials": 3}).population_size == 3
    assert build_study({"algorithm": "pbt", "trials": 30}).population_size == 8
