"""Selection of the checkpoints to keep: the k best trials, and trials that are scored whatever their rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.config.search_space import Params, Space
from hpo.config.study import Study
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import Trial, best_after_counts, rank_trials

SortKey = tuple[float, float]
"""`Measurement.sort_key`: larger is better."""
_LOWEST: SortKey = (-1.0, 0.0)
"""Below every measurement."""


@dataclass(frozen=True)
class CheckpointThreshold:
    """The lowest measurement for which a worker writes a checkpoint.

    ``kth_best`` is the sort key of the worst of the k best trials. ``best_per_value`` holds name, value and
    the sort key of the best trial for each value of each hyperparameter with few values.
    """

    kth_best: SortKey
    best_per_value: tuple[tuple[str, Any, SortKey], ...] = ()

    def is_reached(self, sort_key: SortKey, params: Params) -> bool:
        """Return whether a measurement is among the k best, or the best for a value in ``params``."""
        return sort_key >= self.kth_best or any(
            sort_key >= best for name, value, best in self.best_per_value if params.get(name) == value
        )

    def to_json(self) -> dict[str, Any]:
        """Return the threshold as workers read it from disk."""
        return {"kept": self.kth_best, "of_values": self.best_per_value}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CheckpointThreshold:
        """Return the threshold that `to_json` wrote."""
        return cls(
            tuple(fields["kept"]),
            tuple((name, value, tuple(best)) for name, value, best in fields["of_values"]),
        )


def best_per_value(space: Space, trials: Iterable[Trial]) -> dict[tuple[str, Any], Trial]:
    """Return the best trial for each name and value of the hyperparameters with few values."""
    best: dict[tuple[str, Any], Trial] = {}
    for trial in rank_trials(trials) if space.few_valued else ():
        params = params_at_best_epoch(trial)
        for name in space.few_valued:
            best.setdefault((name, params.get(name)), trial)
    return best


class TopK:
    """The successful trials whose checkpoints are kept, updated as trials end.

    `best` holds the best ``keep_checkpoints`` trials of the study, the best first. `always_kept` holds the
    default trial, the best trial after each of `REPORTED_TRIAL_COUNTS` trials, and the best trial for each
    value of a hyperparameter with few values. The cost of `add` does not depend on the number of trials.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._never_stopped: list[Trial] = []
        # With several seeds per configuration each run is scored when it ends, so no checkpoint is needed.
        self._total = study.runs if study.seeds == 1 else 0
        self._best_after_counts: dict[int, Trial] = {}
        self._best_per_value: dict[tuple[str, Any], Trial] = {}
        self.best: list[Trial] = []

    def add(self, trial: Trial) -> None:
        """Add a trial that ended successfully."""
        self.best = rank_trials([*self.best, trial])[: self._study.keep_checkpoints]
        self._best_after_counts = best_after_counts([*self._best_after_counts.values(), trial], self._total)
        if self._study.seeds == 1:
            self._best_per_value = best_per_value(self._study.space, [*self._best_per_value.values(), trial])
        if trial.number in self._study.never_stopped:
            self._never_stopped.append(trial)

    @property
    def always_kept(self) -> list[Trial]:
        """Trials whose checkpoints are kept whatever their rank."""
        return [*self._never_stopped, *self._best_after_counts.values(), *self._best_per_value.values()]

    @property
    def threshold(self) -> CheckpointThreshold | None:
        """The threshold for new checkpoints, or None until ``keep_checkpoints`` trials have ended."""
        worst = self.best[-1].best if len(self.best) == self._study.keep_checkpoints else None
        if worst is None:
            return None
        best = {key: trial.best.sort_key for key, trial in self._best_per_value.items() if trial.best}
        return CheckpointThreshold(
            worst.sort_key,
            tuple(
                (name, value, best.get((name, value), _LOWEST))
                for name, values in self._study.space.few_valued.items()
                for value in values
            ),
        )
