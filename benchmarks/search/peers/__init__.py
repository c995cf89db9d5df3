"""Search algorithms of other libraries, adapted to the interface of the simulated search.

Each runs its library's code with its library's defaults. All have the same rungs (the first at one epoch,
one in three trials promoted, the last at the end of the curve), epochs and workers, and none receives points
to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
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
"""By title: the module in this package, its function that builds the tuner, and the required packages."""


def peer_contestants() -> Iterator[Contestant | UnavailableContestant]:
    """Yield every peer; one whose packages are not installed is unavailable."""
    for title, (module, function, packages) in PEERS.items():
        try:
            for package in packages:
                import_module(package)
            build = getattr(import_module(f"{__name__}.{module}"), function)
        except ImportError as error:
            yield UnavailableContestant(title, f"not installed here: {error}")
        else:
            yield Contestant(title, _start_function(build), ours=False)


def _start_function(
    build: Callable[[Study], PeerTuner],
) -> Callable[[Study], AbstractContextManager[PeerTuner]]:
    return lambda study: nullcontext(build(study))
