"""Configurations that were trained under several seeds: each run, the mean and the spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from hpo.config.search_space import Params
from hpo.reporting.matrix_tables import NOT_RUN, render_table
from hpo.reporting.study_record import StudyRecord
from hpo.search.default_trial import default_trial
from hpo.search.trial import State, Trial, format_params


@dataclass(frozen=True)
class SeedScores:
    """Micro F1 in [0, 1] of each run in the order of the seeds, None where a run failed or was not scored."""

    scores: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """The mean over the runs that there are."""
        present = [each for each in self.scores if each is not None]
        return fmean(present) if present else None

    @property
    def deviation(self) -> float | None:
        """The population standard deviation."""
        present = [each for each in self.scores if each is not None]
        return pstdev(present) if present else None


@dataclass(frozen=True)
class SeededConfiguration:
    """A configuration with its runs on dev and on test; ``is_default`` where it is the default one."""

    params: Params
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    dev: SeedScores
    test: SeedScores
    is_default: bool

    @property
    def sort_key(self) -> tuple[bool, float]:
        """What configurations are compared by: none of the runs failed, and the mean on dev."""
        return None not in self.dev.scores, self.dev.mean or 0.0

    def to_json(self) -> dict[str, Any]:
        """The configuration, its trials, and mean and population deviation beside the runs."""
        return {
            "params": self.params,
            "default": self.is_default,
            "trials": list(self.trials),
            "seeds": list(self.seeds),
            **{
                split: {"f1": list(runs.scores), "mean": runs.mean, "deviation": runs.deviation}
                for split, runs in (("dev", self.dev), ("test", self.test))
            },
        }


def seeded_configurations(record: StudyRecord) -> list[SeededConfiguration]:
    """The configurations of a study with seeds, the best mean on dev first."""
    size = record.study.seeds
    default = default_trial(record.study, record.trials)
    groups = [record.trials[start : start + size] for start in range(0, len(record.trials), size)]
    found = [_repeated(record, group, group[0] is default) for group in groups if size > 1]
    return sorted(found, key=lambda each: each.sort_key, reverse=True)


def _repeated(record: StudyRecord, group: Sequence[Trial], is_default: bool) -> SeededConfiguration:
    ended = [trial if trial.state == State.COMPLETE else None for trial in group]
    return SeededConfiguration(
        params=group[0].params,
        trials=tuple(trial.number for trial in group),
        seeds=tuple(trial.seed for trial in group),
        dev=SeedScores(tuple(trial.best.f1 if trial and trial.best else None for trial in ended)),
        test=SeedScores(tuple(record.test_f1(trial) if trial else None for trial in ended)),
        is_default=is_default,
    )


def render_seed_scores(record: StudyRecord) -> str:
    """A table of dev and one of test, in percent, both by the mean on dev; empty where there are no seeds."""
    found = seeded_configurations(record)
    if not found:
        return ""
    seeds = ", ".join(map(str, max(found, key=lambda each: len(each.seeds)).seeds))
    parts = [f"Micro F1 in percent under the seeds {seeds}; mean ± population standard deviation.\n"]
    names = [_name(each, found) for each in found]
    for split in ("dev", "test"):
        runs = [each.dev if split == "dev" else each.test for each in found]
        if any(each.mean is not None for each in runs):
            order = "" if split == "dev" else ", in the same order"
            parts += [f"On {split}{order}:\n", _table(names, runs, record.study.seeds)]
    return "\n".join(parts)


def _table(names: Sequence[str], runs: Sequence[SeedScores], size: int) -> str:
    return render_table(
        ("configuration", *(f"Run {number}" for number in range(1, size + 1)), "mean ± std"),
        [
            (name, *(map(_percent, _padded(each.scores, size))), _mean(each))
            for name, each in zip(names, runs, strict=True)
        ],
    )


def _padded(scores: Sequence[float | None], size: int) -> list[float | None]:
    return [*scores, *[None] * (size - len(scores))]


def _percent(score: float | None) -> str:
    return NOT_RUN if score is None else f"{100 * score:.2f}"


def _mean(runs: SeedScores) -> str:
    if runs.mean is None or runs.deviation is None:
        return NOT_RUN
    return f"{100 * runs.mean:.2f} ± {100 * runs.deviation:.2f}"


def _name(one: SeededConfiguration, among: Sequence[SeededConfiguration]) -> str:
    """What tells a configuration from the others, hyperparameter by hyperparameter."""
    first = among[0].params
    varied = [name for name in first if any(each.params[name] != first[name] for each in among)]
    text = format_configuration({name: one.params[name] for name in varied or first})
    return f"{text} (default)" if one.is_default else text


def format_configuration(params: Mapping[str, Any]) -> str:
    """Return hyperparameters as text, with spaces for the underscores of their names."""
    return format_params({name.replace("_", " "): value for name, value in params.items()})
