"""The trials whose models stay on disk, followed as trials end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.config.search_space import Params, Space
from hpo.config.study import Study
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import Trial, best_after_counts, rank_trials

Rank = tuple[float, float]
_NONE_YET: Rank = (-1.0, 0.0)
"""Below every measurement."""


@dataclass(frozen=True)
class CheckpointThreshold:
    """What a measurement has to reach for its model to be worth writing.

    ``kept`` is the rank of the worst of the best; ``of_values`` holds, for each value of each
    hyperparameter with few,
    the rank of the best trial that has it.
    """

    kept: Rank
    of_values: tuple[tuple[str, Any, Rank], ...] = ()

    def is_reached(self, rank: Rank, params: Params) -> bool:
        """Whether a measurement of that rank is among the best, or the best of one of its hyperparameters'
        values."""
        return rank >= self.kept or any(
            rank >= best for name, value, best in self.of_values if params.get(name) == value
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return {"kept": self.kept, "of_values": self.of_values}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> CheckpointThreshold:
        """What `to_json` gave, read back."""
        return cls(
            tuple(facts["kept"]),
            tuple((name, value, tuple(rank)) for name, value, rank in facts["of_values"]),
        )


def best_per_value(space: Space, trials: Iterable[Trial]) -> dict[tuple[str, Any], Trial]:
    """The best trial with each value of each hyperparameter that has few, by hyperparameter and value."""
    best: dict[tuple[str, Any], Trial] = {}
    for trial in rank_trials(trials) if space.few_valued else ():
        params = params_at_best_epoch(trial)
        for name in space.few_valued:
            best.setdefault((name, params.get(name)), trial)
    return best


class TopK:
    """The best trials that ended well, and those whose models are scored whatever their rank.

    `best` holds the study's ``keep``, the best first: only a better one can displace them. `always_kept`
    holds
    the trial of the default configuration, who led after 10, 27, 50 … trials, and the best of each value of
    a hyperparameter with few. Hearing of an end costs the same however many came before.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._never_stopped: list[Trial] = []
        # Of repeated runs each is scored as it ends.
        self._total = study.runs if study.seeds == 1 else 0
        self._on_the_way: dict[int, Trial] = {}
        self._of_values: dict[tuple[str, Any], Trial] = {}
        self.best: list[Trial] = []

    def add(self, trial: Trial) -> None:
        """Take in a trial that ended well."""
        self.best = rank_trials([*self.best, trial])[: self._study.keep_checkpoints]
        self._on_the_way = best_after_counts([*self._on_the_way.values(), trial], self._total)
        if self._study.seeds == 1:
            self._of_values = best_per_value(self._study.space, [*self._of_values.values(), trial])
        if trial.number in self._study.never_stopped:
            self._never_stopped.append(trial)

    @property
    def always_kept(self) -> list[Trial]:
        """See the class."""
        return [*self._never_stopped, *self._on_the_way.values(), *self._of_values.values()]

    @property
    def threshold(self) -> CheckpointThreshold | None:
        """What a new model has to reach; None as long as fewer than are kept have ended."""
        last = self.best[-1].best if len(self.best) == self._study.keep_checkpoints else None
        if last is None:
            return None
        held = {key: trial.best.sort_key for key, trial in self._of_values.items() if trial.best}
        of_values = (
            (name, value, held.get((name, value), _NONE_YET))
            for name, values in self._study.space.few_valued.items()
            for value in values
        )
        return CheckpointThreshold(last.sort_key, tuple(of_values))
