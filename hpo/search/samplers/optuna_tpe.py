"""The tree-structured Parzen estimator (TPE) of Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.trial import State, Trial

STARTUP_TRIALS = 10
EVALUATION_STEPS = 1000
"""Optuna orders pruned trials by an integer step; an epoch has this many steps."""


class OptunaTPE:
    """TPE that uses the intermediate results of stopped trials.

    Stopped and paused trials are *pruned* in Optuna's terms and carry all their measurements, so that
    Optuna ranks them by the epoch that they reached, then by the result there. Failed trials are ignored.
    Each hyperparameter has an independent density, as in the paper: on the recorded table a joint density
    takes 279 epochs instead of 207 (means over 60 seeds).

    Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, NeurIPS 24; Watanabe 2023,
    Tree-Structured Parzen Estimator, arXiv:2304.11127.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._seed = seed
        self._distributions = {name: distribution_of(each) for name, each in space.parameters.items()}
        self._parameters = space.parameters
        self._reset()

    def _reset(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(direction="maximize", storage=self._storage)
        self._synced: list[tuple[Params, TrialState]] = []

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """Return a proposal whose random state depends only on the seed and the number."""
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self._sync(trials)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=True
            )
            asked = self._study.ask(self._distributions)
        params = {name: _plain(self._parameters[name], asked.params[name]) for name in self._distributions}
        self._synced.append((params, TrialState.RUNNING))
        return params

    def _sync(self, trials: Sequence[Trial]) -> None:
        """Add new trials and new ends of trials to Optuna's storage.

        The storage is only a cache: it is rebuilt if the trials are not a continuation of the previous
        ones.
        """
        if not all(map(self._continues, trials, self._synced)) or len(self._synced) > len(trials):
            self._reset()
        for number, trial in enumerate(trials):
            state = _state_of(trial)
            if number == len(self._synced):
                self._study.add_trial(self._freeze(trial, state))
                self._synced.append((trial.params, state))
            elif state != self._synced[number][1]:
                self._finish(number, self._freeze(trial, state))
                self._synced[number] = (trial.params, state)

    @staticmethod
    def _continues(trial: Trial, synced: tuple[Params, TrialState]) -> bool:
        params, state = synced
        return trial.params == params and state in (TrialState.RUNNING, _state_of(trial))

    def _finish(self, number: int, frozen: FrozenTrial) -> None:
        """End a trial that the storage holds as running; its number is its id in this storage."""
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
    """Return one number that orders as the pair of F1 and negated loss.

    F1 scores over some hundred thousand spans are equal or differ by more than 1e-10. The loss contributes
    less than that, so it only orders equal F1 scores.
    """
    f1, negative_loss = rank
    return f1 - 1e-11 * (1 - 1 / (1 - negative_loss))


def distribution_of(parameter: Domain) -> BaseDistribution:
    """Return the domain of a hyperparameter as an Optuna distribution."""
    if parameter.values is not None:
        return CategoricalDistribution(parameter.values)
    low, high = parameter.bounds
    if parameter.type == "int":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=parameter.type == "loguniform")


def _plain(parameter: Domain, value: Any) -> Any:
    return value if parameter.values is not None else parameter.convert(value)
