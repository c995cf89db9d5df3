"""What a search was worth: the default configuration against the best, and the best after so many trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.corpora.spans import Scores
from hpo.reporting.matrix_tables import NOT_RUN, render_table
from hpo.reporting.seeds import (
    SeededConfiguration,
    SeedScores,
    format_configuration,
    seeded_configurations,
)
from hpo.reporting.study_record import StudyRecord
from hpo.search.default_trial import default_trial, moved_defaults
from hpo.search.trial import (
    REPORTED_TRIAL_COUNTS,
    State,
    Trial,
    best_after_counts,
    rank_trials,
)


@dataclass(frozen=True)
class ComparedTrial:
    """A trial with the scores of its best model in the variant trained on, where it was scored."""

    name: str
    trial: Trial
    dev: Scores | None
    test: Scores | None


def default_and_best(record: StudyRecord) -> list[ComparedTrial]:
    """The default configuration and the best trial, as far as they are there; one where they are the same."""
    best = next(iter(rank_trials(record.trials)), None)
    default = default_trial(record.study, record.trials)
    named = [("default", default), ("best", best)]
    if best is not None and best is default:
        named = [("default, and best", best)]
    return [_contender(record, name, trial) for name, trial in named if trial is not None]


def _contender(record: StudyRecord, name: str, trial: Trial) -> ComparedTrial:
    scores = record.scores.get(trial.number, {})
    dev, test = (scores.get(split, {}).get(record.study.train_on) for split in ("dev", "test"))
    return ComparedTrial(name, trial, dev, test)


def render_default_vs_best(record: StudyRecord) -> str:
    """The default configuration against the best, on dev and on test; empty where there is no default.

    Under several seeds it is their means that are compared: a run's best seed is luck.
    """
    if record.study.seeds > 1:
        return "\n".join([_render_means(record), *_moved(record)]) if _means(record) else ""
    found = default_and_best(record)
    if not found or not found[0].name.startswith("default"):
        return ""
    headings = ("configuration", "trial", "epochs", "dev F1", "dev spans", "test F1", "test spans")
    rows = [
        (
            each.name,
            str(each.trial.number),
            f"{each.trial.best.epoch:g} of {each.trial.epochs:g}" if each.trial.best else NOT_RUN,
            *_cells(each.dev),
            *_cells(each.test),
        )
        for each in found
    ]
    if len(found) > 1:
        gains = [_gain(found[0].dev, found[1].dev), _gain(found[0].test, found[1].test)]
        rows.append(("gain", "", "", gains[0], "", gains[1], ""))
    return "\n".join([render_table(headings, rows), summarize_gain(record), *_moved(record)])


def _moved(record: StudyRecord) -> list[str]:
    return [
        f"{name}: the default {'(unset)' if default is None else default} lies outside of what is searched; "
        f"{tried} was tried in its place.\n"
        for name, (default, tried) in moved_defaults(record.study).items()
    ]


def _means(record: StudyRecord) -> list[SeededConfiguration]:
    """The default configuration and the best by their means on dev; one where they are the same."""
    found = seeded_configurations(record)
    default = next((each for each in found if each.is_default), None)
    if default is None:
        return []
    return [default] if default is found[0] else [default, found[0]]


def _render_means(record: StudyRecord) -> str:
    default, *better = _means(record)
    rows = [_means_line("best" if better else "default, and best", (better or [default])[0])]
    told = "No configuration that was searched did better on dev than the default one"
    for best in better:
        gains = [_mean_gain(default.dev, best.dev), _mean_gain(default.test, best.test)]
        cells = [NOT_RUN if gain is None else f"{100 * gain:+.2f}" for gain in gains]
        rows = [_means_line("default", default), *rows, ("gain", "", *cells)]
        told = f"The search beat the default configuration {_told(gains)}"
    table = render_table(("configuration", "hyperparameters", "mean dev F1", "mean test F1"), rows)
    return f"{table}\n{told}, by the mean of {record.study.seeds} seeds.\n"


def _means_line(name: str, one: SeededConfiguration) -> tuple[str, ...]:
    return name, format_configuration(one.params), *(_percent(runs.mean) for runs in (one.dev, one.test))


def _percent(score: float | None) -> str:
    return NOT_RUN if score is None else f"{100 * score:.2f}"


def _mean_gain(before: SeedScores, after: SeedScores) -> float | None:
    return None if before.mean is None or after.mean is None else after.mean - before.mean


def _told(gains: Sequence[float | None]) -> str:
    """What was gained on dev and on test, in words; empty where neither is known."""
    return ", and ".join(
        f"by {gain:+.5f} on {split}" if gain > 0 else f"not on {split} ({gain:+.5f})"
        for split, gain in zip(("dev", "test"), gains, strict=True)
        if gain is not None
    )


def summarize_gain(record: StudyRecord) -> str:
    """In a sentence, whether the search beat the defaults."""
    found = default_and_best(record)
    trial = found[0].trial
    if trial.state == State.FAILED:
        return f"The default configuration failed ({trial.reason or 'no reason given'}).\n"
    if trial.is_open:
        return "The default configuration is still being trained.\n"
    if trial.state == State.STOPPED:
        return f"The default configuration was stopped after {trial.epochs:g} epochs.\n"
    if len(found) == 1:
        return "No configuration that was searched did better on dev than the default one.\n"
    told = _told(
        [_difference(found[0].dev, found[1].dev), _difference(found[0].test, found[1].test)],
    )
    return f"The search beat the default configuration {told}.\n" if told else ""


def _difference(before: Scores | None, after: Scores | None) -> float | None:
    return after.f1 - before.f1 if before and after else None


def _gain(before: Scores | None, after: Scores | None) -> str:
    gain = _difference(before, after)
    return NOT_RUN if gain is None else f"{gain:+.5f}"


def _cells(scores: Scores | None) -> tuple[str, str]:
    return (f"{scores.f1:.5f}", f"{scores.gold:,}") if scores else (NOT_RUN, NOT_RUN)


@dataclass(frozen=True)
class Milestone:
    """The best after so many trials: its number, F1 on dev, and on test where its model was scored."""

    trials: int
    best: int
    dev_f1: float
    test_f1: float | None


def milestones(record: StudyRecord) -> list[Milestone]:
    """The best after the first 10, 27, 50 … trials, and after all; empty where there are seeds."""
    total = len(record.trials)
    if record.study.seeds > 1 or total <= REPORTED_TRIAL_COUNTS[0]:
        return []
    leaders = best_after_counts(record.trials, total)
    if best := next(iter(rank_trials(record.trials)), None):
        leaders[total] = best
    return [
        Milestone(count, trial.number, trial.best.f1, record.test_f1(trial))
        for count, trial in leaders.items()
        if trial.best is not None
    ]


def render_milestones(record: StudyRecord) -> str:
    """A line for each stage, with what was gained since the one before."""
    lines, before = [], None
    for stage in milestones(record):
        gains = [""] * 2
        if before:
            gains[0] = f"{stage.dev_f1 - before.dev_f1:+.5f}"
            if stage.test_f1 is not None and before.test_f1 is not None:
                gains[1] = f"{stage.test_f1 - before.test_f1:+.5f}"
        test = NOT_RUN if stage.test_f1 is None else f"{stage.test_f1:.5f}"
        lines.append((str(stage.trials), str(stage.best), f"{stage.dev_f1:.5f}", gains[0], test, gains[1]))
        before = stage
    headings = ("after trials", "best trial", "dev F1", "gain", "test F1", "gain")
    return render_table(headings, lines) if lines else ""
