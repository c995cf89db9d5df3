"""Optuna by itself: its TPE as it stands, with its own Hyperband."""

from __future__ import annotations

import optuna

from benchmarks.search.peers.tuner import GRACE_EPOCHS, REDUCTION_FACTOR, PeerTuner
from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.samplers.optuna_tpe import distribution_of
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


class OptunaTuner(PeerTuner):
    """``study.ask``, ``trial.report``, ``trial.should_prune``, ``study.tell``, as its manual has it."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions = {name: distribution_of(each) for name, each in study.space.parameters.items()}
        self._last = study.max_epochs
        self._study = optuna.create_study(
            study_name=f"seed {study.seed}",  # Hyperband draws a trial's bracket from it
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
        asked = self._optuna_trials[trial.number]
        asked.report(measurement.f1, round(measurement.epoch))
        if measurement.epoch >= self._last:
            self._study.tell(asked, measurement.f1)
            return State.COMPLETE
        if asked.should_prune():
            self._study.tell(asked, state=optuna.trial.TrialState.PRUNED)
            return State.STOPPED
        return State.RUNNING


def hyperband(study: Study) -> OptunaTuner:
    """Optuna's TPE and HyperbandPruner."""
    return OptunaTuner(study)
