"""Other libraries' searches, each behind the interface that our controller has towards its driver.

They run with their own code and their own defaults: the same rungs (the first at one epoch, one in three
passes, the last at the end of the curve), the same epochs, the same workers, no points to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.search.contestants import Contestant, UnavailableContestant
from hpo.config.study import Study

if TYPE_CHECKING:
    from benchmarks.search.peers.tuner import PeerTuner

PEERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "Ray OptunaSearch + ASHA": ("ray_peers", "optuna_asha", ("ray", "optuna")),
    "Ray HyperOptSearch + ASHA": ("ray_peers", "hyperopt_asha", ("ray", "hyperopt")),
    "Ray TuneBOHB + HyperBandForBOHB": ("ray_peers", "tune_bohb", ("hpbandster", "ConfigSpace")),
    "Optuna TPE + HyperbandPruner": ("optuna_peers", "hyperband", ("optuna",)),
    "Syne Tune ASHA": ("syne_peers", "asha", ("syne_tune",)),
    "Syne Tune BOHB": ("syne_peers", "bohb", ("syne_tune",)),
}
"""By title: the module here, its function that builds the peer, and the packages that it takes."""


def peer_contestants() -> Iterator[Contestant | UnavailableContestant]:
    """Every peer that is installed, and each of the others with what is missing."""
    for title, (module, function, packages) in PEERS.items():
        try:
            for package in packages:
                import_module(package)
            build = getattr(import_module(f"{__name__}.{module}"), function)
        except ImportError as missing:
            yield UnavailableContestant(title, f"not installed here: {missing}")
        else:
            yield Contestant(title, _starter(build), ours=False)


def _starter(build: Callable[[Study], PeerTuner]) -> Callable[[Study], AbstractContextManager[PeerTuner]]:
    @contextmanager
    def start(study: Study) -> Iterator[PeerTuner]:
        yield build(study)

    return start
