"""Milestones of a search: the best trial after the first 10, 27, 50 … trials."""

from __future__ import annotations

from dataclasses import dataclass

from hpo.reporting.study_record import StudyRecord
from hpo.reporting.tables import format_f1, format_gain, render_table
from hpo.search.trial import REPORTED_TRIAL_COUNTS, best_after_counts, rank_trials


@dataclass(frozen=True)
class Milestone:
    """The best trial after the first ``trials``: its number, F1 on dev, and F1 on test if it was scored."""

    trials: int
    best: int
    dev_f1: float
    test_f1: float | None


def milestones(record: StudyRecord) -> list[Milestone]:
    """Return the milestones of a study, the last after all trials; empty for a study with several seeds."""
    total = len(record.trials)
    if record.study.seeds > 1 or total <= REPORTED_TRIAL_COUNTS[0]:
        return []
    best_trials = best_after_counts(record.trials, total)
    if best := next(iter(rank_trials(record.trials)), None):
        best_trials[total] = best
    return [
        Milestone(count, trial.number, trial.best.f1, record.test_f1(trial))
        for count, trial in best_trials.items()
        if trial.best is not None
    ]


def render_milestones(record: StudyRecord) -> str:
    """Return one line per milestone, with the gain since the previous one."""
    rows = []
    previous = None
    for current in milestones(record):
        gains = ["", ""]
        if previous:
            gains[0] = format_gain(previous.dev_f1, current.dev_f1)
            if current.test_f1 is not None and previous.test_f1 is not None:
                gains[1] = format_gain(previous.test_f1, current.test_f1)
        rows.append(
            (
                str(current.trials),
                str(current.best),
                format_f1(current.dev_f1),
                gains[0],
                format_f1(current.test_f1),
                gains[1],
            )
        )
        previous = current
    headings = ("after trials", "best trial", "dev F1", "gain", "test F1", "gain")
    return render_table(headings, rows) if rows else ""
