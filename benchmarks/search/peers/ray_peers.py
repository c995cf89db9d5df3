"""Ray Tune's searchers and schedulers, called in the same order as by its ``TuneController``."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray import tune
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import AsyncHyperBandScheduler, HyperBandForBOHB, TrialScheduler

from benchmarks.search.peers.tuner import GRACE_EPOCHS, REDUCTION_FACTOR, PeerTuner
from hpo.config.domain import Domain
from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.trial import State, Trial
from hpo.training.measurement import Measurement

OBJECTIVE = {"metric": "f1", "mode": "max"}
TIME_ATTRIBUTE = "training_iteration"


@dataclass(eq=False)
class _TrialStub:
    """The attributes of a Ray Tune trial that its schedulers read."""

    trial_id: str
    status: str = RayTrial.RUNNING
    is_saving: bool = False
    config: dict[str, Any] = field(default_factory=dict)


class RayTuner(PeerTuner):
    """A searcher and a scheduler of Ray Tune, without a cluster.

    The scheduler decides on each measurement. If the trial ends, the searcher's ``on_trial_complete`` is
    called, else its ``on_trial_result``, as in Ray's ``TuneController``.
    """

    def __init__(self, searcher: Any, scheduler: Any) -> None:
        super().__init__()
        self._searcher = searcher
        self._scheduler = scheduler
        self._stubs: list[_TrialStub] = []
        self._controller = SimpleNamespace(
            search_alg=SimpleNamespace(searcher=searcher),
            stop_trial=self._stop,
            get_trials=lambda: self._stubs,
        )

    def propose(self, number: int) -> Params:
        """As `PeerTuner.propose`."""
        params = self._searcher.suggest(str(number))
        self._stubs.append(_TrialStub(str(number), config=params))
        self._scheduler.on_trial_add(self._controller, self._stubs[-1])
        return params

    def decide(self, trial: Trial, measurement: Measurement) -> State:
        """As `PeerTuner.decide`."""
        stub = self._stubs[trial.number]
        result = {"f1": measurement.f1, TIME_ATTRIBUTE: round(measurement.epoch)}
        decision = self._scheduler.on_trial_result(self._controller, stub, result)
        if decision == TrialScheduler.STOP:
            self._scheduler.on_trial_complete(self._controller, stub, result)
            self._searcher.on_trial_complete(stub.trial_id, result=result)
            stub.status = RayTrial.TERMINATED
            return State.STOPPED
        self._searcher.on_trial_result(stub.trial_id, result)
        if decision == TrialScheduler.PAUSE:
            stub.status = RayTrial.PAUSED
            return State.PAUSED
        return State.RUNNING

    def next_paused_trial(self) -> Trial | None:
        """As `PeerTuner.next_paused_trial`."""
        stub = self._scheduler.choose_trial_to_run(self._controller) if self._pauses else None
        if stub is None:
            return None
        stub.status = RayTrial.RUNNING
        return self.trials[int(stub.trial_id)]

    @property
    def _pauses(self) -> bool:
        return isinstance(self._scheduler, HyperBandForBOHB)

    def _stop(self, stub: _TrialStub) -> None:
        """End a paused trial on request of the scheduler, as Ray's controller does."""
        self._scheduler.on_trial_remove(self._controller, stub)
        self._searcher.on_trial_complete(stub.trial_id)
        stub.status = RayTrial.TERMINATED
        self.trials[int(stub.trial_id)].state = State.STOPPED


def optuna_asha(study: Study) -> RayTuner:
    """Return ``OptunaSearch`` with ``ASHAScheduler``."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return RayTuner(_searcher(OptunaSearch, study, seed=study.seed), _asha(study))


def hyperopt_asha(study: Study) -> RayTuner:
    """Return ``HyperOptSearch`` with ``ASHAScheduler``."""
    from ray.tune.search.hyperopt import HyperOptSearch

    return RayTuner(_searcher(HyperOptSearch, study, random_state_seed=study.seed), _asha(study))


def tune_bohb(study: Study) -> RayTuner:
    """Return ``TuneBOHB`` with ``HyperBandForBOHB``."""
    from ray.tune.search.bohb import TuneBOHB

    logging.getLogger("hpbandster").setLevel(logging.ERROR)
    np.random.seed(study.seed)  # HpBandSter draws from the global random generator
    scheduler = HyperBandForBOHB(
        time_attr=TIME_ATTRIBUTE, max_t=study.max_epochs, reduction_factor=REDUCTION_FACTOR, **OBJECTIVE
    )
    return RayTuner(_searcher(TuneBOHB, study, seed=study.seed), scheduler)


def _asha(study: Study) -> Any:
    return AsyncHyperBandScheduler(
        time_attr=TIME_ATTRIBUTE,
        max_t=study.max_epochs,
        grace_period=GRACE_EPOCHS,
        reduction_factor=REDUCTION_FACTOR,
        **OBJECTIVE,
    )


def _searcher(searcher_class: Any, study: Study, **options: Any) -> Any:
    """Build a searcher over the space of a study, without warnings about the form of the space."""
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    space = {name: _domain(each) for name, each in study.space.parameters.items()}
    return searcher_class(space=space, **OBJECTIVE, **options)


def _domain(parameter: Domain) -> Any:
    if parameter.values is not None:
        return tune.choice(list(parameter.values))
    low, high = parameter.bounds
    if parameter.type == "int":
        return tune.randint(int(low), int(high) + 1)
    return (tune.loguniform if parameter.type == "loguniform" else tune.uniform)(low, high)
