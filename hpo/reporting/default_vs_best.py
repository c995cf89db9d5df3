"""The default configuration compared with the best configuration that the search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.corpora.spans import Scores
from hpo.reporting.seeds import SeededConfiguration, seeded_configurations
from hpo.reporting.study_record import StudyRecord
from hpo.reporting.tables import MISSING, format_f1, format_gain, format_params, format_percent, render_table
from hpo.search.default_trial import default_trial, moved_defaults
from hpo.search.trial import State, Trial, rank_trials


@dataclass(frozen=True)
class ComparedTrial:
    """A trial with the scores of its best model on the variant trained on; None for splits not scored."""

    name: str
    trial: Trial
    dev: Scores | None
    test: Scores | None


def default_and_best(record: StudyRecord) -> list[ComparedTrial]:
    """Return the default and the best trial as far as they exist; one entry if they are the same trial."""
    best = next(iter(rank_trials(record.trials)), None)
    default = default_trial(record.study, record.trials)
    named = [("default", default), ("best", best)]
    if best is not None and best is default:
        named = [("default, and best", best)]
    return [_compared(record, name, trial) for name, trial in named if trial is not None]


def _compared(record: StudyRecord, name: str, trial: Trial) -> ComparedTrial:
    scores = record.scores.get(trial.number, {})
    dev, test = (scores.get(split, {}).get(record.study.train_on) for split in ("dev", "test"))
    return ComparedTrial(name, trial, dev, test)


def render_default_vs_best(record: StudyRecord) -> str:
    """Return the default and the best configuration on dev and test; empty if there is no default trial.

    A study with several seeds compares means over seeds, because the best seed of a configuration is luck.
    """
    if record.study.seeds > 1:
        return "\n".join([_render_means(record), *_moved(record)]) if _means(record) else ""
    found = default_and_best(record)
    if not found or not found[0].name.startswith("default"):
        return ""
    scores = ("dev F1", "gold spans, dev", "test F1", "gold spans, test")
    rows = [
        (
            each.name,
            str(each.trial.number),
            f"{each.trial.best.epoch:g} of {each.trial.epochs:g}" if each.trial.best else MISSING,
            *_cells(each.dev),
            *_cells(each.test),
        )
        for each in found
    ]
    if len(found) > 1:
        default, best = found
        dev, test = _f1_pair(default.dev, best.dev), _f1_pair(default.test, best.test)
        rows.append(("gain", "", "", format_gain(*dev), "", format_gain(*test), ""))
    return "\n".join(
        [
            render_table(("configuration", "trial", "epochs", *scores), rows),
            summarize_gain(record),
            *_moved(record),
        ]
    )


def _cells(scores: Scores | None) -> tuple[str, str]:
    return (format_f1(scores.f1), f"{scores.gold:,}") if scores else (MISSING, MISSING)


def _f1_pair(before: Scores | None, after: Scores | None) -> tuple[float | None, float | None]:
    return before.f1 if before else None, after.f1 if after else None


def _moved(record: StudyRecord) -> list[str]:
    return [
        f"{name}: the default {'(unset)' if default is None else default} is outside of the search space; "
        f"{tried} was used instead.\n"
        for name, (default, tried) in moved_defaults(record.study).items()
    ]


def _means(record: StudyRecord) -> list[SeededConfiguration]:
    """Return the default and the best configuration by mean dev F1; one entry if they are the same."""
    found = seeded_configurations(record)
    default = next((each for each in found if each.is_default), None)
    if default is None:
        return []
    return [default] if default is found[0] else [default, found[0]]


def _render_means(record: StudyRecord) -> str:
    default, *better = _means(record)
    rows = [_mean_row("best" if better else "default, and best", (better or [default])[0])]
    summary = _NO_GAIN
    for best in better:
        gains = [_gain(default.dev.mean, best.dev.mean), _gain(default.test.mean, best.test.mean)]
        cells = [MISSING if gain is None else f"{100 * gain:+.2f}" for gain in gains]
        rows = [_mean_row("default", default), *rows, ("gain", "", *cells)]
        summary = _describe_gains(gains)
    table = render_table(("configuration", "hyperparameters", "mean dev F1", "mean test F1"), rows)
    return f"{table}\n{summary}, by the mean of {record.study.seeds} seeds.\n" if summary else table


def _mean_row(name: str, one: SeededConfiguration) -> tuple[str, ...]:
    return name, format_params(one.params), *(format_percent(scores.mean) for scores in (one.dev, one.test))


def _gain(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


_NO_GAIN = "No searched configuration scored higher on dev than the default"


def _describe_gains(gains: Sequence[float | None]) -> str:
    """Say by how much the search improved on dev and on test; empty if both are unknown."""
    known = ", ".join(
        f"{gain:+.5f} on {split}" + ("" if gain > 0 else " (no improvement)")
        for split, gain in zip(("dev", "test"), gains, strict=True)
        if gain is not None
    )
    return known and f"Best vs default: F1 {known}"


def summarize_gain(record: StudyRecord) -> str:
    """Say in one sentence whether the search improved on the default configuration."""
    found = default_and_best(record)
    trial = found[0].trial
    if trial.state == State.FAILED:
        return f"The default configuration failed ({trial.reason or 'no reason recorded'}).\n"
    if trial.is_open:
        return "The default configuration is still training.\n"
    if trial.state == State.STOPPED:
        return f"The default configuration was stopped after {trial.epochs:g} epochs.\n"
    if len(found) == 1:
        return f"{_NO_GAIN}.\n"
    default, best = found
    summary = _describe_gains(
        [_gain(*_f1_pair(default.dev, best.dev)), _gain(*_f1_pair(default.test, best.test))]
    )
    return f"{summary}.\n" if summary else ""
