"""Optuna without Ray: its TPE sampler with its Hyperband pruner."""

from __future__ import annotations

import optuna

from benchmarks.search.peers.tuner import GRACE_EPOCHS, REDUCTION_FACTOR, PeerTuner
from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.samplers.optuna_tpe import distribution_of
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


class OptunaTuner(PeerTuner):
    """Optuna's ask-and-tell interface, used as its documentation shows."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions = {name: distribution_of(each) for name, each in study.space.parameters.items()}
        self._max_epochs = study.max_epochs
        self._study = optuna.create_study(
            study_name=f"seed {study.seed}",  # Hyperband hashes it to choose the bracket of a trial
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=study.seed),
            pruner=optuna.pruners.HyperbandPruner(
                min_resource=GRACE_EPOCHS, max_resource=study.max_epochs, reduction_factor=REDUCTION_FACTOR
            ),
        )
        self._optuna_trials: list[optuna.Trial] = []

    def propose(self, number: int) -> Params:
        """As `PeerTuner.propose`."""
        self._optuna_trials.append(self._study.ask(self._distributions))
        return dict(self._optuna_trials[-1].params)

    def decide(self, trial: Trial, measurement: Measurement) -> State:
        """As `PeerTuner.decide`."""
        optuna_trial = self._optuna_trials[trial.number]
        optuna_trial.report(measurement.f1, round(measurement.epoch))
        if measurement.epoch >= self._max_epochs:
            self._study.tell(optuna_trial, measurement.f1)
            return State.COMPLETE
        if optuna_trial.should_prune():
            self._study.tell(optuna_trial, state=optuna.trial.TrialState.PRUNED)
            return State.STOPPED
        return State.RUNNING


def hyperband(study: Study) -> OptunaTuner:
    """Return Optuna's ``TPESampler`` with its ``HyperbandPruner``."""
    return OptunaTuner(study)
