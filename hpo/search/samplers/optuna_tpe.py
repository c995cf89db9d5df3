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

from hpo.config.search_space import Parameter, Params, Space
from hpo.search.trial import State, Trial

STARTUP_TRIALS = 10
EVALUATION_STEPS = 1000
"""Optuna orders pruned trials by an integer step; this many to an epoch."""


class OptunaTPE:
    """TPE that knows how far each trial got.

    A trial that ran to its end is complete; one that the search stopped is pruned and carries all
    its intermediate values, so that Optuna ranks it by how far it came first; a failed one teaches
    nothing. Each hyperparameter has a density of its own, as in the paper: with one over all
    hyperparameters, Optuna's
    default, the recorded table takes 279 epochs instead of 207 (means over 60 seeds).

    Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, NeurIPS 24; Watanabe 2023,
    Tree-Structured Parzen Estimator, arXiv:2304.11127.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._seed = seed
        self._distributions = {name: distribution_of(each) for name, each in space.parameters.items()}
        self._parameters = space.parameters
        self._forget()

    def _forget(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(direction="maximize", storage=self._storage)
        self._told: list[tuple[Params, TrialState]] = []

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """As `Sampler.suggest`; the random state is drawn from the seed and the number alone."""
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self._catch_up(trials)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=True
            )
            asked = self._study.ask(self._distributions)
        params = {name: _plain(self._parameters[name], asked.params[name]) for name in self._distributions}
        self._told.append((params, TrialState.RUNNING))
        return params

    def _catch_up(self, trials: Sequence[Trial]) -> None:
        """Tell Optuna what it has not heard yet.

        What it has heard is only kept to save telling it again: where the trials are not those of before
        with more to them, it is told everything anew.
        """
        if not all(map(self._may_become, trials, self._told)) or len(self._told) > len(trials):
            self._forget()
        for number, trial in enumerate(trials):
            state = _state_of(trial)
            if number == len(self._told):
                self._study.add_trial(self._freeze(trial, state))
                self._told.append((trial.params, state))
            elif state != self._told[number][1]:
                self._tell(number, self._freeze(trial, state))
                self._told[number] = (trial.params, state)

    @staticmethod
    def _may_become(trial: Trial, told: tuple[Params, TrialState]) -> bool:
        params, state = told
        return trial.params == params and state in (TrialState.RUNNING, _state_of(trial))

    def _tell(self, number: int, frozen: FrozenTrial) -> None:
        """Have a trial end that ran when Optuna first heard of it; its number is its id in this storage."""
        for step, value in frozen.intermediate_values.items():
            self._storage.set_trial_intermediate_value(number, step, value)
        self._storage.set_trial_state_values(number, frozen.state, frozen.values)

    def _freeze(self, trial: Trial, state: TrialState) -> FrozenTrial:
        values = {
            round(each.epoch * EVALUATION_STEPS): value_of(each.sort_key) for each in trial.measurements
        }
        complete = trial.best if state == TrialState.COMPLETE else None
        return create_trial(
            state=state,
            params=trial.params,
            distributions=self._distributions,
            intermediate_values=values,
            value=value_of(complete.sort_key) if complete else None,
        )


def _state_of(trial: Trial) -> TrialState:
    states = {
        State.RUNNING: TrialState.RUNNING,
        State.COMPLETE: TrialState.COMPLETE,
        State.PAUSED: TrialState.PRUNED,
        State.STOPPED: TrialState.PRUNED,
        State.FAILED: TrialState.FAIL,
    }
    return states[trial.state] if trial.measurements or trial.state == State.RUNNING else TrialState.FAIL


def value_of(rank: tuple[float, float]) -> float:
    """F1 and negated loss in one number that orders as the pair does.

    F1 scores over some hundred thousand spans differ by more than 1e-10 or not at all, so a share
    of that, by the loss, decides between equal ones and no others.
    """
    f1, negative_loss = rank
    return f1 - 1e-11 * (1 - 1 / (1 - negative_loss))


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """The domain of a hyperparameter in Optuna's words."""
    if parameter.values is not None:
        return CategoricalDistribution(parameter.values)
    low, high = parameter.bounds
    if parameter.type == "int":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=parameter.type == "loguniform")


def _plain(parameter: Parameter, value: Any) -> Any:
    return value if parameter.values is not None else parameter.convert(value)
