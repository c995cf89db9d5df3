"""Fixtures of the reporting tests: studies with made-up trials, and a reader of markdown tables."""

import pytest

from hpo.config.study import build_study
from hpo.corpora.spans import Scores
from hpo.reporting.study_record import StudyRecord
from hpo.search.trial import State, Trial

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2},
        "batch_size": {"type": "choice", "values": [4, 8]},
    },
    "fixed": {"epochs": 9},
}


@pytest.fixture
def space():
    """A search space of two hyperparameters."""
    return SPACE


@pytest.fixture
def read_cells():
    """Return the cells of a markdown table, without its rule."""

    def read(table):
        return [
            [cell.strip() for cell in line.split("|")[1:-1]]
            for line in table.splitlines()
            if line.startswith("|") and set(line) - set("|- ")
        ]

    return read


def make_scores(f1, gold=1000):
    return Scores(
        precision=f1, recall=f1, f1=f1, correct=1, predicted=1, gold=gold, macro_precision=f1,
        macro_recall=f1, macro_f1=f1, by_type={},
    )  # fmt: skip


@pytest.fixture
def scores_of():
    """Make the scores of a checkpoint from its F1 on dev and on test."""

    def make(dev, test):
        return {"dev": {"cased": make_scores(dev)}, "test": {"cased": make_scores(test, 1234)}}

    return make


@pytest.fixture
def record(measure, scores_of):
    """A study of 30 trials, each of which is a thousandth better than the one before."""
    study = build_study({"name": "s", "space": SPACE, "trials": 30})
    trials = [
        Trial(n, {"learning_rate": 1e-4 * (n + 1), "batch_size": 4 * (1 + n % 2)}, n, State.COMPLETE)
        for n in range(30)
    ]
    for trial in trials:
        trial.measurements.append(measure(9, 0.5 + trial.number / 1000))
    trials[0].params = study.space.defaults
    tested = {0: scores_of(0.5, 0.45), 9: scores_of(0.509, 0.46), 29: scores_of(0.529, 0.455)}
    return StudyRecord(study, trials, None, tested, {}, None)


@pytest.fixture
def seeded_record(measure, scores_of):
    """Two configurations with five seeds, as in hmByT5's table; one run of the other one failed."""
    study = build_study(
        {"name": "s", "space": SPACE, "trials": 2, "algorithm": "grid", "seeds": 5, "seed": 1}
    )
    runs = [84.35, 84.51, 85.21, 87.01, None, 83.80, 84.78, 83.74, 83.35, 84.37]
    other = {"learning_rate": 1.6e-4, "batch_size": 4}
    trials = [
        Trial(n, other if n > 4 else study.space.defaults, 1 + n % 5, State.COMPLETE) for n in range(10)
    ]
    for trial, f1 in zip(trials, runs, strict=True):
        if f1 is None:
            trial.state = State.FAILED
        else:
            trial.measurements.append(measure(9, f1 / 100))
    tested = {n: scores_of(0.8, 0.7 + n / 100) for n in range(10) if n != 4}
    return StudyRecord(study, trials, None, tested, {}, None)
