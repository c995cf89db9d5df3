"""Syne Tune's schedulers, called in the same order as by its ``Tuner``."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial as SyneTrial
from syne_tune.config_space import choice, loguniform, randint, uniform
from syne_tune.optimizer.baselines import ASHA, BOHB

from benchmarks.search.peers.tuner import GRACE_EPOCHS, REDUCTION_FACTOR, PeerTuner
from hpo.config.domain import Domain
from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement


class SyneTuner(PeerTuner):
    """A scheduler of Syne Tune, without a backend."""

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._syne_trials: list[SyneTrial] = []

    def propose(self, number: int) -> Params:
        """As `PeerTuner.propose`."""
        config = self._scheduler.suggest().config
        self._syne_trials.append(SyneTrial(number, config, datetime.fromtimestamp(0)))
        self._scheduler.on_trial_add(self._syne_trials[-1])
        return config

    def decide(self, trial: Trial, measurement: Measurement) -> State:
        """As `PeerTuner.decide`."""
        syne_trial = self._syne_trials[trial.number]
        result = {"f1": measurement.f1, "epoch": round(measurement.epoch)}
        if self._scheduler.on_trial_result(syne_trial, result) == "CONTINUE":
            return State.RUNNING
        self._scheduler.on_trial_remove(syne_trial)
        return State.STOPPED


def asha(study: Study) -> SyneTuner:
    """Return Syne Tune's ``ASHA``: random configurations, stopped by asynchronous successive halving."""
    return SyneTuner(ASHA(**_options(study)))


def bohb(study: Study) -> SyneTuner:
    """Return Syne Tune's ``BOHB``: kernel density proposals, stopped by successive halving."""
    return SyneTuner(BOHB(**_options(study)))


def _options(study: Study) -> dict[str, Any]:
    logging.getLogger("syne_tune").setLevel(logging.ERROR)
    np.random.seed(study.seed)
    return {
        "config_space": {name: _domain(each) for name, each in study.space.parameters.items()},
        "metric": "f1",
        "do_minimize": False,
        "time_attr": "epoch",
        "max_t": study.max_epochs,
        "grace_period": GRACE_EPOCHS,
        "reduction_factor": REDUCTION_FACTOR,
        "random_seed": study.seed,
    }


def _domain(parameter: Domain) -> Any:
    if parameter.values is not None:
        return choice(list(parameter.values))
    low, high = parameter.bounds
    if parameter.type == "int":
        return randint(int(low), int(high))
    return (loguniform if parameter.type == "loguniform" else uniform)(low, high)
