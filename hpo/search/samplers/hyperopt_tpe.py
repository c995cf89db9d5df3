"""The tree-structured Parzen estimator (TPE) of hyperopt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hyperopt import JOB_STATE_DONE, STATUS_OK, Trials, hp, tpe
from hyperopt import Domain as HyperoptDomain
from hyperopt.base import JOB_STATE_RUNNING

from hpo.config.domain import Domain
from hpo.config.search_space import Params, Space
from hpo.search.trial import State, Trial

STARTUP_TRIALS = 10


class HyperoptTPE:
    """TPE over independent hyperparameters; each ended or paused trial is an observation with its best F1.

    Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._seed = seed
        self._parameters = space.parameters
        self._domain = HyperoptDomain(
            lambda params: 0.0, {name: _expression(name, each) for name, each in space.parameters.items()}
        )

    def suggest(self, number: int, trials: Sequence[Trial]) -> Params:
        """Return a proposal whose random state depends only on the seed and the number."""
        history = Trials()
        documents = [self._document(trial) for trial in trials if trial.state != State.FAILED]
        history.insert_trial_docs(documents)
        history.refresh()
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        (proposal,) = tpe.suggest(
            [number], self._domain, history, seed, n_startup_jobs=STARTUP_TRIALS, verbose=False
        )
        chosen = {name: value[0] for name, value in proposal["misc"]["vals"].items()}
        return {name: _value(each, chosen[name]) for name, each in self._parameters.items()}

    def _document(self, trial: Trial) -> dict[str, Any]:
        done = trial.state != State.RUNNING and trial.best is not None
        return {
            "tid": trial.number,
            "state": JOB_STATE_DONE if done else JOB_STATE_RUNNING,
            "spec": None,
            "result": {"status": STATUS_OK, "loss": 1 - trial.best.f1}
            if done and trial.best
            else {"status": "new"},
            "misc": {
                "tid": trial.number,
                "cmd": ("domain_attachment", "FMinIter_Domain"),
                "idxs": {name: [trial.number] for name in self._parameters},
                "vals": {name: [_code(each, trial.params[name])] for name, each in self._parameters.items()},
            },
            "exp_key": None,
            "owner": None,
            "version": 0,
            "book_time": None,
            "refresh_time": None,
        }


def _expression(name: str, parameter: Domain) -> Any:
    if parameter.values is not None:
        return hp.choice(name, list(parameter.values))
    low, high = parameter.bounds
    if parameter.type == "int":
        return hp.uniformint(name, low, high)
    if parameter.type == "loguniform":
        return hp.loguniform(name, math.log(low), math.log(high))
    return hp.uniform(name, low, high)


def _value(parameter: Domain, code: Any) -> Any:
    if parameter.values is not None:
        return parameter.values[int(code)]
    return parameter.convert(parameter.clip(float(code)))  # exp(log(high)) may exceed high


def _code(parameter: Domain, value: Any) -> Any:
    return parameter.values.index(value) if parameter.values is not None else value
