"""Many seeds of every arm on one surrogate, and what they come to, with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.contestants import (
    DEFAULT,
    RANDOM,
    Contestant,
    UnavailableContestant,
    our_contestants,
    simulated_study,
)
from benchmarks.search.peers import peer_contestants
from hpo.simulation.curve_tables import read_curve_table
from hpo.simulation.surrogate import Surrogate
from hpo.simulation.tuner import ProgressPoint, simulate

Floats = NDArray[np.float64]

NEAR_BEST = 0.99
"""Share of the best F1 that counts as having found it."""
SCORE_EPOCHS = (50, 100)
"""Epochs spent at which scores are compared."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Conditions:
    """What every arm is given: a table, so many epochs, workers side by side, and seeds."""

    table: Path
    seeds: int = 30
    budget_epochs: int = 450
    workers: int = 4
    seconds_per_epoch: float | None = None


@dataclass(frozen=True)
class Outcome:
    """One seed of one arm: epochs until near the best, the budget where never; F1 at the checkpoints."""

    epochs: float
    found: bool
    scores: tuple[float, ...]
    trials: int
    most_epochs: float


@dataclass(frozen=True)
class Interval:
    """A statistic over the seeds and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What an arm's seeds come to.

    ``epochs`` is a median, censored at the budget; ``scores`` are means of the best F1 at the checkpoints;
    ``rank`` is the mean over the seeds of the arm's place by epochs; ``ahead`` is by how many epochs the
    arm is ahead of our default on the same seed, in the mean; ``ratio`` is of the median to random search's.
    """

    title: str
    ours: bool
    epochs: Interval
    found: int
    scores: tuple[Interval, ...]
    rank: Interval
    ahead: Interval
    ratio: Interval


def run_seed(surrogate: Surrogate, contestant: Contestant, seed: int, conditions: Conditions) -> Outcome:
    """One search of one arm, until it has found the best and passed the checkpoints, or spent its epochs."""
    target = NEAR_BEST * surrogate.best
    budget, last = conditions.budget_epochs, SCORE_EPOCHS[-1]

    def enough(point: ProgressPoint) -> bool:
        return point.epochs >= budget or (point.f1 >= target and point.epochs >= last)

    study = simulated_study(surrogate, seed)
    with contestant.start(study) as head:
        progress = simulate(head, surrogate, conditions.workers, conditions.seconds_per_epoch, until=enough)
        trials = head.trials  # type: ignore[attr-defined]
    first = next((each.epochs for each in progress if each.f1 >= target), None)
    scores = [max((m.f1 for m in progress if m.epochs <= mark), default=0.0) for mark in SCORE_EPOCHS]
    return Outcome(
        epochs=min(first or budget, budget),
        found=first is not None and first <= budget,
        scores=tuple(scores),
        trials=len(trials),
        most_epochs=max((trial.epochs for trial in trials), default=0.0),
    )


def compare_all(
    conditions: Conditions,
    jobs: int = 1,
    chosen: Callable[[str], bool] = lambda title: True,
    told: Callable[[str], None] = lambda title: None,
) -> tuple[Surrogate, dict[str, list[Outcome]], list[UnavailableContestant]]:
    """Every arm's outcomes by its title, one per seed, and the arms that are not there.

    ``jobs`` processes play seeds side by side; ``told`` hears of each arm that begins. Our default and random
    search always play, the others where ``chosen``.

    Raises
    ------
    UserError
        if the table cannot be read.
    """
    surrogate = Surrogate(read_curve_table(conditions.table))
    contestants = (*our_contestants(), *peer_contestants())
    absent = [contestant for contestant in contestants if isinstance(contestant, UnavailableContestant)]
    outcomes: dict[str, list[Outcome]] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for contestant in contestants:
            if isinstance(contestant, Contestant) and (
                contestant.title in (DEFAULT, RANDOM) or chosen(contestant.title)
            ):
                told(contestant.title)
                tasks = [(conditions, contestant.title, seed) for seed in range(conditions.seeds)]
                outcomes[contestant.title] = list(pool.map(_run_seed_by_title, tasks, chunksize=5))
    return surrogate, outcomes, absent


_loaded: dict[Path, Surrogate] = {}


def _run_seed_by_title(task: tuple[Conditions, str, int]) -> Outcome:
    """As `run_seed`, in a process of its own, which reads the table once."""
    conditions, title, seed = task
    warnings.simplefilter("ignore")  # the libraries' own, about each other
    if conditions.table not in _loaded:
        _loaded[conditions.table] = Surrogate(read_curve_table(conditions.table))
    contestant = next(each for each in (*our_contestants(), *peer_contestants()) if each.title == title)
    assert isinstance(contestant, Contestant)
    return run_seed(_loaded[conditions.table], contestant, seed, conditions)


def summarize(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """One row per arm, the best mean rank first."""
    titles = list(outcomes)
    ours = {contestant.title for contestant in our_contestants()}
    epochs = np.array([[each.epochs for each in outcomes[title]] for title in titles])
    last = np.array([[each.scores[-1] for each in outcomes[title]] for title in titles])
    ranks = _ranks(epochs, last)
    draws = np.random.default_rng(0).integers(epochs.shape[1], size=(RESAMPLES, epochs.shape[1]))
    base, chance = titles.index(DEFAULT), titles.index(RANDOM)
    rows = [
        Row(
            title=title,
            ours=title in ours,
            epochs=_interval(epochs[place], draws, np.median),
            found=sum(each.found for each in outcomes[title]),
            scores=tuple(
                _interval(np.array([each.scores[mark] for each in outcomes[title]]), draws, np.mean)
                for mark in range(len(SCORE_EPOCHS))
            ),
            rank=_interval(ranks[place], draws, np.mean),
            ahead=_interval(epochs[base] - epochs[place], draws, np.mean),
            ratio=_ratio(epochs[place], epochs[chance], draws),
        )
        for place, title in enumerate(titles)
    ]
    return sorted(rows, key=lambda row: row.rank.value)


def _ranks(epochs: Floats, scores: Floats) -> Floats:
    """Each arm's place per seed, 1 the best: by epochs, then by score; equals share their places' mean."""
    fewer = (epochs[None] < epochs[:, None]) | (
        (epochs[None] == epochs[:, None]) & (scores[None] > scores[:, None])
    )
    equal = (epochs[None] == epochs[:, None]) & (scores[None] == scores[:, None])
    return fewer.sum(axis=1) + (equal.sum(axis=1) + 1) / 2


def _interval(values: Floats, draws: NDArray[np.int64], statistic: Callable[..., Any]) -> Interval:
    resampled = statistic(values[draws], axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(statistic(values)), float(low), float(high))


def _ratio(values: Floats, base: Floats, draws: NDArray[np.int64]) -> Interval:
    resampled = np.median(values[draws], axis=1) / np.median(base[draws], axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(np.median(values) / np.median(base)), float(low), float(high))


def to_json(rows: Sequence[Row], outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Rows and every seed's outcome, as JSON writes them."""
    return {
        "rows": [asdict(row) for row in rows],
        "outcomes": {title: [asdict(each) for each in seeds] for title, seeds in outcomes.items()},
    }
