"""The replay bench: tables, surrogates, arms and what they come to."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.search.commands import TABLE
from benchmarks.search.comparison import (
    SCORE_EPOCHS,
    Conditions,
    Outcome,
    compare_all,
    run_seed,
    summarize,
    to_json,
)
from benchmarks.search.contestants import (
    DEFAULT,
    RANDOM,
    Contestant,
    UnavailableContestant,
    our_contestants,
    simulated_study,
)
from benchmarks.search.peers import PEERS, peer_contestants
from benchmarks.search.reports import render
from hpo.config.algorithms import ALGORITHMS
from hpo.config.search_space import load_space
from hpo.config.study import build_study
from hpo.corpora.sentences import Corpus
from hpo.environment import describe_environment
from hpo.errors import UserError
from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.curve_tables import (
    Curve,
    CurveTable,
    read_curve_table,
)
from hpo.simulation.surrogate import Surrogate
from hpo.storage.atomic import write_lines
from hpo.training.task import NonFiniteLoss
from hpo.workflows.record_curves import record


def curve_of(params, seed=0):
    """What a made-up training measures: the nearer the learning rate to 1e-3, the higher and the faster."""
    far = abs(np.log10(params["learning_rate"]) + 3)
    f1 = tuple(float(round(max(0.0, 0.5 - far / 4 - 0.4 / epoch), 5)) for epoch in range(1, 10))
    loss = tuple(round(1 - score, 5) for score in f1)
    epochs = tuple(float(epoch) for epoch in range(1, 10))
    return Curve(params, seed, epochs, f1, loss, tuple(2 * epoch for epoch in epochs))


@pytest.fixture(scope="module")
def table():
    space = load_space("demo").model_copy(update={"points_to_evaluate": ()})
    sampler = RandomSampler(space, 1)
    conditions = {
        "corpus": "made-up", "corpus_sha256": "0" * 64, "tags": "none", "train_on": "cased", "model": "none",
        "epochs": 9, "space": space.model_dump(mode="json", exclude_none=True),
    }  # fmt: skip
    curves = tuple(curve_of(sampler.suggest(n, ())) for n in range(80))
    return CurveTable("made-up", conditions, space, curves)


@pytest.fixture(scope="module")
def surrogate(table):
    return Surrogate(table)


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    path = tmp_path / "made-up.jsonl"
    write_lines(path, [table.conditions, *(vars(curve) for curve in table.curves)])
    assert read_curve_table(path) == table


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a curve table"):
        read_curve_table(tmp_path / "none.jsonl")


@pytest.fixture
def made_up_training(monkeypatch, measure):
    """In the place of a corpus that is encoded and a model that is trained; one draw in three diverges."""

    def train(task, callbacks):
        config = task.training_config
        for epoch in range(1, config.epochs + 1):
            callbacks.report(measure(epoch, config.hidden_dropout, config.learning_rate))
            if config.batch_size == 64:
                raise NonFiniteLoss

    def encode_corpus(*args, **options):
        return SimpleNamespace(folder=Path("encoded"))

    monkeypatch.setattr("hpo.training.trainer.train", train)
    monkeypatch.setattr("hpo.encoding.corpus_encoder.encode_corpus", encode_corpus)
    monkeypatch.setattr(
        "hpo.workflows.record_curves.read_corpus", lambda study: (Corpus("made-up", {}, "0" * 64), None)
    )


def test_a_recording_goes_on_where_it_ended_and_refuses_another_tables_file(empty_folder, made_up_training):
    options = {"name": "r", "algorithm": "random", "fixed": {"epochs": 2, "evals_per_epoch": 1}}
    path = empty_folder / "table.jsonl"
    assert list(record(build_study(options | {"trials": 2}), path)) == [1, 2]
    first = path.read_bytes()
    path.write_bytes(first[:-20])  # killed in the middle of a line
    assert list(record(build_study(options | {"trials": 3}), path)) == [1, 2, 3]
    again = read_curve_table(path)
    assert [len(curve.f1) for curve in again.curves] == [
        1 if curve.params["batch_size"] == 64 else 2 for curve in again.curves
    ]
    kept = [json.loads(line) for line in first.splitlines()]
    assert again.curves[0].params == kept[1]["params"]
    assert again.curves[1].f1 == tuple(kept[2]["f1"]), "the draw that was cut off comes again"
    with pytest.raises(UserError, match=r"was recorded with seed = 42 \(got 1\)"):
        list(record(build_study(options | {"trials": 3, "seed": 1}), path))


def test_the_surrogate_tells_a_recorded_curve_closely_and_others_in_between(surrogate, table):
    assert surrogate.leave_one_out_fit()["rank_correlation"] > 0.95
    sampler = RandomSampler(table.space, 2)
    for number in range(20):
        params = sampler.suggest(number, ())
        assert surrogate(params)[-1].f1 == pytest.approx(curve_of(params).f1[-1], abs=0.08)
    assert max(max(curve.f1) for curve in table.curves) >= surrogate.best > 0.4


def test_the_surrogate_finds_which_knob_matters_and_keeps_zeros(surrogate):
    weights = surrogate.weights
    assert max(weights, key=weights.__getitem__) == "learning_rate"
    assert weights["weight_decay"] <= 1
    slow = dict.fromkeys(weights, 0.05) | {"learning_rate": 5e-5, "batch_size": 16}
    assert surrogate(slow)[0].f1 == 0.0
    assert surrogate(slow) == surrogate(slow)


def test_every_algorithm_of_ours_is_compared_or_said_not_to_be():
    contestants = list(our_contestants())
    assert {DEFAULT, RANDOM} <= {contestant.title for contestant in contestants}
    for algorithm in ALGORITHMS.values():
        assert any(contestant.title.startswith(algorithm.title) for contestant in contestants)
        assert algorithm.population == any(
            isinstance(contestant, UnavailableContestant) and contestant.title == algorithm.title
            for contestant in contestants
        )


def test_every_peer_is_there_or_says_why_not():
    found = list(peer_contestants())
    assert [contestant.title for contestant in found] == list(PEERS)
    assert all(
        isinstance(contestant, Contestant) or "not installed" in contestant.reason for contestant in found
    )


@pytest.mark.parametrize(
    "title",
    [*(contestant.title for contestant in our_contestants() if isinstance(contestant, Contestant)), *PEERS],
)
def test_an_arm_spends_its_epochs_and_does_the_same_again(surrogate, title):
    contestant = next(each for each in (*our_contestants(), *peer_contestants()) if each.title == title)
    if isinstance(contestant, UnavailableContestant):
        pytest.skip(contestant.reason)
    conditions = Conditions(TABLE, budget_epochs=120)
    outcome = run_seed(surrogate, contestant, 3, conditions)
    assert run_seed(surrogate, contestant, 3, conditions) == outcome
    assert 0 < outcome.epochs <= 120
    assert len(outcome.scores) == len(SCORE_EPOCHS)
    assert outcome.most_epochs == 9
    assert outcome.trials >= 12


def test_no_arm_is_told_where_to_start(surrogate):
    assert simulated_study(surrogate, 0).space.points_to_evaluate == ()


def test_a_summary_ranks_by_epochs_and_then_by_score():
    def seeds(epochs, score, found=True):
        return [Outcome(float(epochs + seed), found, (score, score), 10, 9.0) for seed in range(8)]

    outcomes = {DEFAULT: seeds(50, 0.5), RANDOM: seeds(100, 0.4), "Other": seeds(30, 0.3)}
    outcomes["Lost"] = [Outcome(450.0, False, (0.2, 0.2), 10, 9.0)] * 8
    rows = {row.title: row for row in summarize(outcomes)}
    assert list(rows) == ["Other", DEFAULT, RANDOM, "Lost"]
    assert rows[DEFAULT].ratio.value == pytest.approx(53.5 / 103.5)
    assert (rows["Other"].ahead.low, rows["Other"].ahead.value, rows["Other"].ahead.high) == (20, 20, 20)
    assert [rows[title].rank.value for title in rows] == [1, 2, 3, 4]
    assert [rows[title].found for title in rows] == [8, 8, 8, 0]
    assert json.loads(json.dumps(to_json(list(rows.values()), outcomes)))["rows"][0]["title"] == "Other"


def test_the_table_of_the_repository_is_compared_and_shown():
    conditions = Conditions(TABLE, seeds=2, budget_epochs=100)
    surrogate, outcomes, absent = compare_all(conditions, chosen=lambda title: title == "Grid")
    assert list(outcomes) == [DEFAULT, RANDOM, "Grid"]
    text = render(summarize(outcomes), absent, surrogate, conditions, describe_environment()["versions"])
    assert all(f"| **{title}** |" in text for title in outcomes)
    assert all(each.reason in text for each in absent)
