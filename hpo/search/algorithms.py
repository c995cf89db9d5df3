"""The algorithms: who proposes configurations, and whether bad trials are stopped."""

from __future__ import annotations

from dataclasses import dataclass

SEARCHERS = ("optuna", "hyperopt")
"""Libraries whose TPE can propose the configurations of an algorithm that leaves it open."""


@dataclass(frozen=True)
class Algorithm:
    """One way to search.

    ``title`` is what the result matrix shows; ``sampler`` proposes the configurations, the study's
    searcher where it is None; ``stops`` says that trials go through rungs.
    """

    title: str
    description: str
    sampler: str | None
    stops: bool


ALGORITHMS: dict[str, Algorithm] = {
    "asha": Algorithm("ASHA", "TPE proposes, asynchronous successive halving stops", None, stops=True),
    "random": Algorithm("Random", "independent draws, every trial to its last epoch", "random", stops=False),
    "grid": Algorithm("Grid", "every combination once, every trial to its last epoch", "grid", stops=False),
}
