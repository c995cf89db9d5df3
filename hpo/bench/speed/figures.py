"""The figures by name: how each is taken, how often, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hpo.bench.speed.parts import (
    measure_driver,
    measure_encoding,
    measure_matrix,
    measure_padding,
    measure_quality,
    measure_spans,
    measure_step,
)
from hpo.bench.speed.rows import Row
from hpo.bench.speed.searching import measure_disk, measure_memory, measure_search, measure_share
from hpo.bench.speed.settings import Setting
from hpo.errors import unknown


@dataclass(frozen=True)
class Figure:
    """One figure: ``measure`` takes it in a setting with so many repetitions, ``about`` says how to read it.

    One that is not ``standard`` is taken only where it is asked for by its name.
    """

    measure: Callable[[Setting, int], list[Row]]
    repeat: int
    about: str
    standard: bool = True


_SEARCH = (
    "both searches are given the same configurations in the same order, ASHA with rungs at 1 and 3, and two "
    "workers; the clock runs from the call, Ray not yet started, to the winner. Each rule of stopping is the "
    "library's own, so epochs may differ; the second line divides by them. The plain loop trains each "
    "trial as long as our search did, on two processes that have loaded everything before the clock starts."
)
_DISK = (
    "`write_bytes` of every thread of the arm, from `/proc` ten times a second: what was dirtied in "
    "files, Ray's logs included, and neither sockets nor shared memory. The peak is of all files of the "
    "arm but Ray's logs, looked at as often."
)
_DRIVER = (
    "from the first result to the last at the driver, once both workers are up; Ray's loggers are off in "
    "both arms, as our driver has them. Ours makes a trial when a worker is free for it, within that time, and so "
    "does the peer in the first line; the second has its trials made before, as Ray Tune does by itself. "
    "Memory is the driver's own, from the first result to the last."
)

FIGURES: dict[str, Figure] = {
    "step": Figure(
        measure_step, 5, "trial and bare loop in one process in turn; the step is AdamW's fused one in both."
    ),
    "padding": Figure(measure_padding, 1, "counted at the model over one epoch and one evaluation."),
    "encoding": Figure(
        measure_encoding, 5, "both from sentences read already to files on disk, in one process in turn."
    ),
    "spans": Figure(measure_spans, 3, "each on labels in its own form: numbers for ours, names for seqeval."),
    "matrix": Figure(measure_matrix, 3, "both from a model folder and encoded data to 14 scores."),
    "search-8-short": Figure(
        lambda s, n: measure_search(s, s.sizes.few, s.sizes.short_s, 0.3, n), 2, _SEARCH
    ),
    "search-8-long": Figure(lambda s, n: measure_search(s, s.sizes.few, s.sizes.long_s, 0.45, n), 1, _SEARCH),
    "search-50-short": Figure(
        lambda s, n: measure_search(s, s.sizes.many, s.sizes.short_s, 0.3, n), 1, _SEARCH
    ),
    "search-50-long": Figure(
        lambda s, n: measure_search(s, s.sizes.many, s.sizes.long_s, 0.45, n), 1, _SEARCH
    ),
    "disk-asha": Figure(lambda s, n: measure_disk(s, "asha", n), 1, _DISK),
    "disk-pbt": Figure(lambda s, n: measure_disk(s, "pbt", n), 1, _DISK),
    "driver-100": Figure(lambda s, n: measure_driver(s, s.sizes.driver_trials[0], n), 2, _DRIVER),
    "driver-1000": Figure(lambda s, n: measure_driver(s, s.sizes.driver_trials[-1], n), 1, _DRIVER),
    "driver-10000": Figure(lambda s, n: measure_driver(s, 10_000, n), 1, _DRIVER, standard=False),
    "share": Figure(
        measure_share,
        1,
        "from the first trial's start to the last measurement, two workers; hooks on model and optimizer "
        "tell training and evaluation from all else.",
    ),
    "memory": Figure(measure_memory, 1, "of one worker, as the system counts it."),
    "quality": Figure(
        measure_quality, 1, "one training per seed and kind of batch; the interval is over the seeds."
    ),
}
"""In the order of the table."""


def chosen(only: Iterable[str]) -> list[str]:
    """The figures whose names are, or begin with, some words; all standard ones where there are no words.

    Raises
    ------
    UserError
        if a word fits none.
    """
    words = [word.strip() for word in only if word.strip()]
    for word in words:
        if not any(name == word or name.startswith(f"{word}-") for name in FIGURES):
            raise unknown("--only", "figure", word, FIGURES)
    if not words:
        return [name for name, figure in FIGURES.items() if figure.standard]
    return [
        name
        for name, figure in FIGURES.items()
        if name in words or (figure.standard and any(name.startswith(f"{word}-") for word in words))
    ]
