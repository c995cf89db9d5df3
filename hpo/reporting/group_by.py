"""A hyperparameter against the scores: the trials grouped by its values, and which hyperparameters
mattered at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hpo.config.search_space import MOST_VALUES
from hpo.errors import unknown
from hpo.reporting.importance import hyperparameter_importance
from hpo.reporting.matrix_tables import NOT_RUN, render_table
from hpo.reporting.study_record import StudyRecord
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import State, Trial, format_value, rank_trials

BINS = 4
"""Groups of about equal size that the values of a range are put into."""

TRUSTED_TRIALS = 50
"""With fewer trials an importance is told with a warning."""


@dataclass(frozen=True)
class TrialGroup:
    """The trials whose hyperparameter has a value, or lies in a range of values.

    ``best_dev`` and ``mean_dev`` are of each trial's best micro F1 on dev, in [0, 1]; ``test`` is of the best
    trial, where its model was scored; ``stopped`` trials did not come to their last epoch.
    """

    value: str
    trials: int
    stopped: int
    best_dev: float
    mean_dev: float
    test: float | None


def group_trials(record: StudyRecord, hyperparameter: str) -> list[TrialGroup]:
    """The trials that have measured anything, grouped by a searched hyperparameter, in the order of its
    values.

    Raises
    ------
    UserError
        if the study does not search the hyperparameter.
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
    if domain.values is None and len(distinct) > MOST_VALUES:
        bins = _bins(trials, values)
    else:
        bins = [(format_value(each), [t for t in trials if values[t.number] == each]) for each in distinct]
    return [_group(record, name, members) for name, members in bins if members]


def _bins(trials: Sequence[Trial], values: dict[int, Any]) -> list[tuple[str, list[Trial]]]:
    """The trials in groups of about equal size, in the order of the hyperparameter; equal values stay
    together."""
    ordered = sorted(trials, key=lambda trial: values[trial.number])
    groups: list[list[Trial]] = [[] for _ in range(BINS)]
    placed: dict[Any, int] = {}
    for place, trial in enumerate(ordered):
        groups[placed.setdefault(values[trial.number], place * BINS // len(ordered))].append(trial)
    return [
        (
            f"{format_value(values[group[0].number])} to {format_value(values[group[-1].number])}",
            _by_rank(group, trials),
        )
        for group in groups
        if group
    ]


def _by_rank(group: Sequence[Trial], ranking: Sequence[Trial]) -> list[Trial]:
    numbers = {trial.number for trial in group}
    return [trial for trial in ranking if trial.number in numbers]


def _group(record: StudyRecord, name: str, members: Sequence[Trial]) -> TrialGroup:
    scores = [trial.best.f1 for trial in members if trial.best]
    stopped = sum(trial.state == State.STOPPED for trial in members)
    return TrialGroup(name, len(members), stopped, max(scores), fmean(scores), record.test_f1(members[0]))


def render_groups(record: StudyRecord, hyperparameter: str) -> str:
    """The groups of a hyperparameter as a table."""
    rows = [
        (
            group.value,
            str(group.trials),
            str(group.stopped),
            f"{group.best_dev:.5f}",
            f"{group.mean_dev:.5f}",
            NOT_RUN if group.test is None else f"{group.test:.5f}",
        )
        for group in group_trials(record, hyperparameter)
    ]
    name = hyperparameter.replace("_", " ")
    return render_table(
        (name, "trials", "stopped early", "best dev F1", "mean dev F1", "test F1 of best"), rows
    )


def render_importance(record: StudyRecord) -> str:
    """The searched hyperparameters by importance; empty where there are too few trials to tell."""
    shares = hyperparameter_importance(record.study.space, record.trials)
    if not shares:
        return ""
    table = render_table(
        ("hyperparameter", "importance"),
        [(name.replace("_", " "), f"{share:.0%}") for name, share in shares.items()],
    )
    count = len(rank_trials(record.trials))
    few = "; of so few trials, take it for a hint" if count < TRUSTED_TRIALS else ""
    return (
        f"{table}\nPED-ANOVA over {count} trials by their best dev F1, for each hyperparameter alone{few}.\n"
    )
