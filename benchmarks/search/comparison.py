"""Runs every contestant on one surrogate under many seeds, and summarizes the outcomes with intervals."""

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
"""A search has found the best configuration at this fraction of the best F1."""
SCORE_EPOCHS = (50, 100)
"""Numbers of epochs spent after which the best F1 so far is compared."""
RESAMPLES = 2000
"""Number of bootstrap resamples."""


@dataclass(frozen=True)
class Conditions:
    """What is the same for all contestants: curve table, seeds, budget in epochs, and parallel workers."""

    table: Path
    seeds: int = 30
    budget_epochs: int = 450
    workers: int = 4
    seconds_per_epoch: float | None = None


@dataclass(frozen=True)
class Outcome:
    """One seed of one contestant.

    ``epochs`` is the number of epochs spent until the best configuration was ``found``, or the budget.
    ``scores`` are the best F1 so far, in [0, 1], at `SCORE_EPOCHS`. ``most_epochs`` is the length of the
    longest trial.
    """

    epochs: float
    found: bool
    scores: tuple[float, ...]
    trials: int
    most_epochs: float


@dataclass(frozen=True)
class Interval:
    """A statistic over the seeds with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SummaryRow:
    """Summary of one contestant over its seeds.

    ``epochs`` is the median number of epochs, censored at the budget. ``scores`` are means of the best F1 at
    `SCORE_EPOCHS`. ``rank`` is the mean rank by epochs over the seeds, 1 for the best. ``ahead`` is the mean
    number of epochs by which the contestant is faster than our default on the same seed. ``ratio`` is the
    ratio of its median to that of random search.
    """

    title: str
    ours: bool
    epochs: Interval
    found: int
    scores: tuple[Interval, ...]
    rank: Interval
    ahead: Interval
    ratio: Interval


@dataclass(frozen=True)
class Comparison:
    """Outcomes by the title of the contestant, one per seed, and the contestants that did not run."""

    surrogate: Surrogate
    outcomes: dict[str, list[Outcome]]
    unavailable: list[UnavailableContestant]


def run_seed(surrogate: Surrogate, contestant: Contestant, seed: int, conditions: Conditions) -> Outcome:
    """Run one search until it finds the best configuration, at least to the last of `SCORE_EPOCHS`.

    The search ends without having found it when its budget is spent.
    """
    threshold = NEAR_BEST * surrogate.best
    budget, last = conditions.budget_epochs, SCORE_EPOCHS[-1]

    def is_finished(point: ProgressPoint) -> bool:
        return point.epochs >= budget or (point.f1 >= threshold and point.epochs >= last)

    with contestant.start(simulated_study(surrogate, seed)) as tuner:
        progress = simulate(
            tuner, surrogate, conditions.workers, conditions.seconds_per_epoch, until=is_finished
        )
        trials = tuner.trials  # type: ignore[attr-defined]
    first = next((point.epochs for point in progress if point.f1 >= threshold), None)
    scores = [
        max((point.f1 for point in progress if point.epochs <= epochs), default=0.0)
        for epochs in SCORE_EPOCHS
    ]
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
    include: Callable[[str], bool] = lambda title: True,
    on_start: Callable[[str], None] = lambda title: None,
) -> Comparison:
    """Run all contestants whose title ``include`` accepts, with ``jobs`` seeds in parallel.

    Our default and random search always run, because the others are compared with them. ``on_start`` is
    called with the title of each contestant when it starts.

    Raises
    ------
    UserError
        if the curve table cannot be read.
    """
    surrogate = Surrogate(read_curve_table(conditions.table))
    contestants = _all_contestants()
    unavailable = [each for each in contestants if isinstance(each, UnavailableContestant)]
    outcomes: dict[str, list[Outcome]] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for contestant in contestants:
            title = contestant.title
            if isinstance(contestant, Contestant) and (title in (DEFAULT, RANDOM) or include(title)):
                on_start(title)
                tasks = [(conditions, title, seed) for seed in range(conditions.seeds)]
                outcomes[title] = list(pool.map(_run_task, tasks, chunksize=5))
    return Comparison(surrogate, outcomes, unavailable)


def _all_contestants() -> tuple[Contestant | UnavailableContestant, ...]:
    return (*our_contestants(), *peer_contestants())


_surrogates: dict[Path, Surrogate] = {}
"""The surrogates of this process by the path of their table, each of which is fitted once."""


def _run_task(task: tuple[Conditions, str, int]) -> Outcome:
    """Call `run_seed` in a worker process, for the contestant of a title."""
    conditions, title, seed = task
    warnings.simplefilter("ignore")  # the libraries warn about each other
    if conditions.table not in _surrogates:
        _surrogates[conditions.table] = Surrogate(read_curve_table(conditions.table))
    contestant = next(each for each in _all_contestants() if each.title == title)
    assert isinstance(contestant, Contestant)
    return run_seed(_surrogates[conditions.table], contestant, seed, conditions)


def summarize(outcomes: dict[str, list[Outcome]]) -> list[SummaryRow]:
    """Return one row per contestant, sorted by mean rank, the best first."""
    titles = list(outcomes)
    ours = {contestant.title for contestant in our_contestants()}
    epochs = np.array([[each.epochs for each in outcomes[title]] for title in titles])
    last = np.array([[each.scores[-1] for each in outcomes[title]] for title in titles])
    ranks = _ranks(epochs, last)
    draws = np.random.default_rng(0).integers(epochs.shape[1], size=(RESAMPLES, epochs.shape[1]))
    default, random = titles.index(DEFAULT), titles.index(RANDOM)
    rows = [
        SummaryRow(
            title=title,
            ours=title in ours,
            epochs=_interval(epochs[index], draws, np.median),
            found=sum(each.found for each in outcomes[title]),
            scores=tuple(
                _interval(np.array([each.scores[column] for each in outcomes[title]]), draws, np.mean)
                for column in range(len(SCORE_EPOCHS))
            ),
            rank=_interval(ranks[index], draws, np.mean),
            ahead=_interval(epochs[default] - epochs[index], draws, np.mean),
            ratio=_ratio(epochs[index], epochs[random], draws),
        )
        for index, title in enumerate(titles)
    ]
    return sorted(rows, key=lambda row: row.rank.value)


def _ranks(epochs: Floats, scores: Floats) -> Floats:
    """Rank the contestants per seed by epochs, then by score; ties share the mean of their ranks.

    *Shapes:* all (contestants, seeds). Example: for one seed with epochs [30, 50, 50] and scores
    [0.3, 0.4, 0.4], the ranks are [1, 2.5, 2.5].
    """
    better = (epochs[None] < epochs[:, None]) | (
        (epochs[None] == epochs[:, None]) & (scores[None] > scores[:, None])
    )
    equal = (epochs[None] == epochs[:, None]) & (scores[None] == scores[:, None])
    return better.sum(axis=1) + (equal.sum(axis=1) + 1) / 2


def _interval(values: Floats, draws: NDArray[np.int64], statistic: Callable[..., Any]) -> Interval:
    """Return a statistic with its percentile interval; ``draws`` are seeds, (resamples, seeds)."""
    resampled = statistic(values[draws], axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(statistic(values)), float(low), float(high))


def _ratio(values: Floats, base: Floats, draws: NDArray[np.int64]) -> Interval:
    resampled = np.median(values[draws], axis=1) / np.median(base[draws], axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(np.median(values) / np.median(base)), float(low), float(high))


def to_json(rows: Sequence[SummaryRow], outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Return the rows and the outcome of every seed as JSON-serializable data."""
    return {
        "rows": [asdict(row) for row in rows],
        "outcomes": {title: [asdict(each) for each in seeds] for title, seeds in outcomes.items()},
    }
