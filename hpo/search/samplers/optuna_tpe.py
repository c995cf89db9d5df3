"""The tree-structured Parzen estimator, as Optuna has it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.search.spaces import Parameter, Params, Space
from hpo.search.trials import State, Trial

STARTUP_TRIALS = 10
EVALUATION_STEPS = 1000
"""Optuna orders pruned trials by an integer step; this many to an epoch."""


class OptunaTPE:
    """Multivariate TPE that knows how far each trial got.

    A trial that ran to its end is complete; one that the search stopped is pruned and carries all
    its intermediate values, so that Optuna ranks it by how far it came first; a failed one teaches
    nothing. Watanabe 2023, Tree-Structured Parzen Estimator, arXiv:2304.11127; Falkner et al. 2018,
    BOHB, arXiv:1807.01774, for the multivariate kernel.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._seed = seed
        self._distributions = {name: distribution_of(each) for name, each in space.parameters.items()}
        self._parameters = space.parameters

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """As `Sampler.suggest`; the random state is drawn from the seed and the number alone."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
            )
            study = optuna.create_study(direction="maximize", sampler=sampler)
            study.add_trials([self._freeze(trial) for trial in trials])
            asked = study.ask(self._distributions)
        return {name: _plain(self._parameters[name], asked.params[name]) for name in self._distributions}

    def _freeze(self, trial: Trial) -> FrozenTrial:
        values = {round(each.epoch * EVALUATION_STEPS): value_of(each.rank) for each in trial.measurements}
        states = {
            State.RUNNING: TrialState.RUNNING,
            State.COMPLETE: TrialState.COMPLETE,
            State.PAUSED: TrialState.PRUNED,
            State.STOPPED: TrialState.PRUNED,
            State.FAILED: TrialState.FAIL,
        }
        best = trial.best
        state = states[trial.state] if best or trial.state == State.RUNNING else TrialState.FAIL
        return create_trial(
            state=state,
            params=trial.params,
            distributions=self._distributions,
            intermediate_values=values,
            value=value_of(best.rank) if best and state == TrialState.COMPLETE else None,
        )


def value_of(rank: tuple[float, float]) -> float:
    """F1 and negated loss in one number that orders as the pair does.

    F1 scores over some hundred thousand spans differ by more than 1e-10 or not at all, so a share
    of that, by the loss, decides between equal ones and no others.
    """
    f1, negative_loss = rank
    return f1 - 1e-11 * (1 - 1 / (1 - negative_loss))


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """The domain of a knob in Optuna's words."""
    if parameter.values is not None:
        return CategoricalDistribution(parameter.values)
    low, high = parameter.bounds
    if parameter.type == "int":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=parameter.type == "loguniform")


def _plain(parameter: Parameter, value: Any) -> Any:
    return value if parameter.values is not None else parameter.convert(value)
