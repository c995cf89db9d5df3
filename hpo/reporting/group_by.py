"""Trials grouped by the values of one searched hyperparameter, with the scores of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hpo.config.search_space import MAX_LISTED_VALUES
from hpo.errors import unknown
from hpo.reporting.study_record import StudyRecord
from hpo.reporting.tables import format_f1, format_name, format_value, render_table
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import State, Trial, rank_trials

BINS = 4
"""Bins of about equal size into which the values of a range are grouped."""


@dataclass(frozen=True)
class TrialGroup:
    """The trials whose hyperparameter has one value, or a value in one range.

    ``best_dev`` and ``mean_dev`` are the maximum and mean of the trials' best micro F1 on dev, in [0, 1];
    ``test`` is the test F1 of the best trial, None if it was not scored; ``stopped`` counts trials that
    were stopped early.
    """

    value: str
    trials: int
    stopped: int
    best_dev: float
    mean_dev: float
    test: float | None


def group_trials(record: StudyRecord, hyperparameter: str) -> list[TrialGroup]:
    """Group the trials with a score by a searched hyperparameter, in the order of its values.

    Raises
    ------
    UserError
        If the study does not search the hyperparameter.
    """
    parameters = record.study.space.parameters
    if hyperparameter not in parameters:
        raise unknown(
            f"study {record.study.name}", "searched hyperparameter", hyperparameter, tuple(parameters)
        )
    trials = rank_trials(record.trials)
    values = {trial.number: params_at_best_epoch(trial)[hyperparameter] for trial in trials}
    domain = parameters[hyperparameter]
    distinct = sorted(set(values.values())) if domain.values is None else list(domain.values)
    if domain.values is None and len(distinct) > MAX_LISTED_VALUES:
        bins = _bins(trials, values)
    else:
        bins = [
            (format_value(value), [trial for trial in trials if values[trial.number] == value])
            for value in distinct
        ]
    return [_group(record, name, members) for name, members in bins if members]


def _bins(trials: Sequence[Trial], values: dict[int, Any]) -> list[tuple[str, list[Trial]]]:
    """Bin trials by quantile of their value; equal values share a bin, and each bin keeps the trials' order.

    Six trials with the values 1, 2, 2, 3, 4, 5 are at the positions 0 to 5, and position * 4 // 6 assigns
    the bins 0, 0, 1, 2, 2, 3; the second 2 stays in the bin of the first: (1, 2, 2), (3, 4), (5).
    """
    ordered = sorted(trials, key=lambda trial: values[trial.number])
    bin_of: dict[Any, int] = {}
    for position, trial in enumerate(ordered):
        bin_of.setdefault(values[trial.number], position * BINS // len(ordered))
    found = []
    for number in dict.fromkeys(bin_of.values()):
        members = [trial for trial in trials if bin_of[values[trial.number]] == number]
        inside = [values[trial.number] for trial in members]
        found.append((f"{format_value(min(inside))} to {format_value(max(inside))}", members))
    return found


def _group(record: StudyRecord, name: str, members: Sequence[Trial]) -> TrialGroup:
    scores = [trial.best.f1 for trial in members if trial.best]
    stopped = sum(trial.state == State.STOPPED for trial in members)
    return TrialGroup(name, len(members), stopped, max(scores), fmean(scores), record.test_f1(members[0]))


def render_groups(record: StudyRecord, hyperparameter: str) -> str:
    """Return the groups of a hyperparameter as a table."""
    rows = [
        (
            group.value,
            str(group.trials),
            str(group.stopped),
            *map(format_f1, (group.best_dev, group.mean_dev, group.test)),
        )
        for group in group_trials(record, hyperparameter)
    ]
    headings = ("trials", "stopped early", "best dev F1", "mean dev F1", "test F1 of best")
    return render_table((format_name(hyperparameter), *headings), rows)
