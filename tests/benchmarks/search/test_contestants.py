"""Tests of the contestants of the search benchmark: our algorithms and those of other libraries."""

import pytest

from benchmarks.search.commands import TABLE
from benchmarks.search.comparison import SCORE_EPOCHS, Conditions, run_seed
from benchmarks.search.contestants import (
    DEFAULT,
    RANDOM,
    Contestant,
    UnavailableContestant,
    our_contestants,
    simulated_study,
)
from benchmarks.search.peers import PEERS, peer_contestants
from hpo.config.algorithms import ALGORITHMS

TITLES = [*(each.title for each in our_contestants() if isinstance(each, Contestant)), *PEERS]


def test_our_contestants_cover_every_algorithm():
    contestants = list(our_contestants())
    assert {DEFAULT, RANDOM} <= {contestant.title for contestant in contestants}
    unavailable = {each.title for each in contestants if isinstance(each, UnavailableContestant)}
    for algorithm in ALGORITHMS.values():
        assert any(contestant.title.startswith(algorithm.title) for contestant in contestants)
        assert algorithm.population_based == (algorithm.title in unavailable)


def test_peer_contestants_not_installed_give_the_reason():
    contestants = list(peer_contestants())
    assert [contestant.title for contestant in contestants] == list(PEERS)
    assert all(isinstance(each, Contestant) or "not installed" in each.reason for each in contestants)


@pytest.mark.parametrize("title", TITLES)
def test_contestant_with_the_same_seed_repeats_its_outcome_within_the_budget(surrogate, title):
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


def test_simulated_study_has_no_points_to_evaluate(surrogate):
    assert simulated_study(surrogate, 0).space.points_to_evaluate == ()
