"""Which hyperparameters told good trials from others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from hpo.config.search_space import Space
from hpo.search.hyperparameter_schedule import params_at_best_epoch
from hpo.search.trial import Trial, rank_trials

LEAST_TRIALS = 10
"""With fewer there is nothing to be told."""
BEST_SHARE = 0.1
LEAST_BEST = 5
"""Which trials count as good: the best tenth, and at least so many."""


def hyperparameter_importance(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Each searched hyperparameter's share in telling the best trials from all, the greatest first; they
    add up to 1.

    Compared are the hyperparameters' distributions one by one, so what two hyperparameters do together is
    not seen. Empty where
    fewer than `LEAST_TRIALS` trials have measured anything.

    Watanabe et al. 2023, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces, arXiv:2304.10255, as Optuna has it; gamma is the share of the best.
    """
    measured = rank_trials(trials)
    if len(measured) < LEAST_TRIALS:
        return {}
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    from hpo.search.samplers.optuna_tpe import distribution_of

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    domains = {name: distribution_of(parameter) for name, parameter in space.parameters.items()}
    study = optuna.create_study(direction="maximize")
    for trial in measured:
        assert trial.best is not None, "only trials that have measured stand in a ranking"
        study.add_trial(
            create_trial(params=params_at_best_epoch(trial), distributions=domains, value=trial.best.f1)
        )
    share = max(BEST_SHARE, LEAST_BEST / len(measured))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
        return dict(get_param_importances(study, evaluator=evaluator))
