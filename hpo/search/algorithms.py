"""The algorithms: who proposes configurations, and whether bad trials are stopped."""

from __future__ import annotations

from dataclasses import dataclass

SEARCHERS = ("optuna", "hyperopt")
"""Libraries whose TPE can propose the configurations of an algorithm that leaves it open."""


@dataclass(frozen=True)
class Algorithm:
    """One way to search.

    ``title`` is what the result matrix shows; ``sampler`` proposes the configurations, the study's
    searcher where it is None; ``policy`` decides which trials go on; ``stops`` says that it stops some.
    """

    title: str
    description: str
    sampler: str | None
    policy: str
    stops: bool


ALGORITHMS: dict[str, Algorithm] = {
    "asha": Algorithm(
        "ASHA", "TPE proposes, asynchronous successive halving stops", None, "halving", stops=True
    ),
    "random": Algorithm("Random", "independent draws, all to the last epoch", "random", "every", stops=False),
    "grid": Algorithm("Grid", "every combination once, all to the last epoch", "grid", "every", stops=False),
}
