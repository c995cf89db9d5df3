"""Hyperparameter importance: which hyperparameters distinguish the best trials of a study."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from hpo.config.search_space import Space
from hpo.reporting.study_record import StudyRecord
from hpo.reporting.tables import format_name, render_table
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import Trial, rank_trials

MIN_TRIALS = 10
"""With fewer trials no importance is computed."""
BEST_SHARE = 0.1
MIN_BEST = 5
"""The best trials are the best tenth, and at least this many."""
RELIABLE_TRIALS = 50
"""With fewer trials an importance is shown with a warning."""


def hyperparameter_importance(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the importance of each searched hyperparameter, the greatest first; they sum to 1.

    PED-ANOVA compares the distribution of each hyperparameter among the best trials with that among all
    trials, one at a time, so it does not see interactions. Empty if fewer than `MIN_TRIALS` trials have a
    score.

    Watanabe et al. 2023, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces, arXiv:2304.10255, as implemented in Optuna; gamma is the share of the best trials.
    """
    scored = rank_trials(trials)
    if len(scored) < MIN_TRIALS:
        return {}
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    from hpo.search.samplers.optuna_tpe import distribution_of

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    domains = {name: distribution_of(parameter) for name, parameter in space.parameters.items()}
    study = optuna.create_study(direction="maximize")
    for trial in scored:
        assert trial.best is not None, "rank_trials() returns only trials with a score"
        study.add_trial(
            create_trial(params=params_at_best_epoch(trial), distributions=domains, value=trial.best.f1)
        )
    share = max(BEST_SHARE, MIN_BEST / len(scored))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
        return dict(get_param_importances(study, evaluator=evaluator))


def render_importance(record: StudyRecord) -> str:
    """Return a table of the searched hyperparameters by importance; empty with too few trials."""
    shares = hyperparameter_importance(record.study.space, record.trials)
    if not shares:
        return ""
    table = render_table(
        ("hyperparameter", "importance"),
        [(format_name(name), f"{share:.0%}") for name, share in shares.items()],
    )
    count = len(rank_trials(record.trials))
    warning = "; unreliable with so few trials" if count < RELIABLE_TRIALS else ""
    return f"{table}\nPED-ANOVA of the best dev F1 of {count} trials, each hyperparameter alone{warning}.\n"
