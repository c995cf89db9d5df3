"""The trial of the default configuration, which every study runs first unless it opts out."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.search.hyperparameter_schedule import initial_params
from hpo.search.trial import Trial


def default_trial(study: Study, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial of the default configuration, or None if the study has none (yet)."""
    first = trials[0] if trials and study.baseline else None
    return first if first and initial_params(first) == study.space.defaults else None


def moved_defaults(study: Study) -> dict[str, tuple[object, object]]:
    """Return the default and the tried value of each hyperparameter whose default is outside its domain."""
    fields, tried = TrainingConfig.model_fields, study.space.defaults
    return {
        name: (fields[name].default, value)
        for name, value in tried.items()
        if not study.space.parameters[name].contains(fields[name].default)
    }
