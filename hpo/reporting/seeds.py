"""Configurations trained with several seeds: the score of each seed, their mean and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from hpo.config.search_space import Params
from hpo.reporting.study_record import StudyRecord
from hpo.reporting.tables import MISSING, format_params, format_percent, render_table
from hpo.search.default_trial import default_trial
from hpo.search.trial import State, Trial


@dataclass(frozen=True)
class SeedScores:
    """Micro F1 in [0, 1] in the order of the seeds; None if the run failed or was not scored."""

    scores: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """The mean of the existing scores."""
        present = [score for score in self.scores if score is not None]
        return fmean(present) if present else None

    @property
    def deviation(self) -> float | None:
        """The population standard deviation of the existing scores."""
        present = [score for score in self.scores if score is not None]
        return pstdev(present) if present else None

    def to_json(self) -> dict[str, Any]:
        """Return the scores, their mean and their deviation."""
        return {"f1": list(self.scores), "mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True)
class SeededConfiguration:
    """A configuration with its scores on dev and on test, one per seed."""

    params: Params
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    dev: SeedScores
    test: SeedScores
    is_default: bool

    @property
    def sort_key(self) -> tuple[bool, float]:
        """Configurations without a failed run come first, then the higher mean on dev."""
        return None not in self.dev.scores, self.dev.mean or 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the configuration, its trials and seeds, and its scores by split."""
        return {
            "params": self.params,
            "default": self.is_default,
            "trials": list(self.trials),
            "seeds": list(self.seeds),
            "dev": self.dev.to_json(),
            "test": self.test.to_json(),
        }


def seeded_configurations(record: StudyRecord) -> list[SeededConfiguration]:
    """Return the configurations of a study with several seeds, the best mean on dev first."""
    size = record.study.seeds
    default = default_trial(record.study, record.trials)
    groups = [record.trials[start : start + size] for start in range(0, len(record.trials), size)]
    found = [_configuration(record, group, group[0] is default) for group in groups if size > 1]
    return sorted(found, key=lambda configuration: configuration.sort_key, reverse=True)


def _configuration(record: StudyRecord, group: Sequence[Trial], is_default: bool) -> SeededConfiguration:
    completed = [trial if trial.state == State.COMPLETE else None for trial in group]
    return SeededConfiguration(
        params=group[0].params,
        trials=tuple(trial.number for trial in group),
        seeds=tuple(trial.seed for trial in group),
        dev=SeedScores(tuple(trial.best.f1 if trial and trial.best else None for trial in completed)),
        test=SeedScores(tuple(record.test_f1(trial) if trial else None for trial in completed)),
        is_default=is_default,
    )


def render_seed_scores(record: StudyRecord) -> str:
    """Return a dev and a test table in percent, both sorted by the mean on dev; empty with one seed."""
    found = seeded_configurations(record)
    if not found:
        return ""
    seeds = ", ".join(map(str, max(found, key=lambda configuration: len(configuration.seeds)).seeds))
    parts = [f"Micro F1 in percent with the seeds {seeds}; mean ± population standard deviation.\n"]
    names = [_name(configuration, found) for configuration in found]
    by_split = {
        "dev": [configuration.dev for configuration in found],
        "test": [configuration.test for configuration in found],
    }
    for split, scores in by_split.items():
        if any(each.mean is not None for each in scores):
            order = "" if split == "dev" else ", in the same order"
            parts += [f"On {split}{order}:\n", _table(names, scores, record.study.seeds)]
    return "\n".join(parts)


def _table(names: Sequence[str], scores: Sequence[SeedScores], size: int) -> str:
    return render_table(
        ("configuration", *(f"Run {number}" for number in range(1, size + 1)), "mean ± std"),
        [
            (name, *map(format_percent, _padded(each.scores, size)), _mean_and_deviation(each))
            for name, each in zip(names, scores, strict=True)
        ],
    )


def _padded(scores: Sequence[float | None], size: int) -> list[float | None]:
    return [*scores, *[None] * (size - len(scores))]


def _mean_and_deviation(scores: SeedScores) -> str:
    if scores.mean is None:
        return MISSING
    return f"{format_percent(scores.mean)} ± {format_percent(scores.deviation)}"


def _name(configuration: SeededConfiguration, others: Sequence[SeededConfiguration]) -> str:
    """Name a configuration by the hyperparameters that differ between configurations."""
    first = others[0].params
    varied = [name for name in first if any(other.params[name] != first[name] for other in others)]
    text = format_params({name: configuration.params[name] for name in varied or first})
    return f"{text} (default)" if configuration.is_default else text
