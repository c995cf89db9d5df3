"""The figures by name: how each is taken, how often, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.speed.component_figures import (
    measure_driver,
    measure_encoding,
    measure_matrix,
    measure_padding,
    measure_quality,
    measure_spans,
    measure_step,
)
from benchmarks.speed.rows import Row
from benchmarks.speed.search_figures import (
    measure_disk,
    measure_memory,
    measure_search,
    measure_utilization,
)
from benchmarks.speed.settings import BenchmarkContext
from hpo.errors import unknown


@dataclass(frozen=True)
class Figure:
    """One figure: ``measure`` takes it so many times in a setting, ``about`` says how to read it."""

    measure: Callable[[BenchmarkContext, int], list[Row]]
    about: str
    repeat: int = 5


_SEARCH = (
    "both searches are given the same configurations in the same order, ASHA with rungs at 1 and 3, and two "
    "workers; the clock runs from the call, Ray not yet started, to the winner. Each rule of stopping is the "
    "library's own, over trials ordered by F1 and then by loss in both, so epochs may still differ; the "
    "second line divides by them. The plain loop trains each trial as long as our search did, on two "
    "processes that have loaded everything before the clock starts."
)
_DISK = (
    "`write_bytes` of every thread of the arm, from `/proc` ten times a second: what was dirtied in "
    "files, Ray's logs included, and neither sockets nor shared memory. The peak is of all files of the "
    "arm but Ray's logs, looked at as often."
)
_DRIVER = (
    "from the first result to the last at the driver, once both workers are up; Ray's loggers are off in "
    "both arms, as our driver has them. Ours makes a trial when a worker is free for it, within that time, "
    "and so does the peer in the first line; the second has its trials made before, as Ray Tune does by "
    "itself. Memory is the driver's own, from the first result to the last."
)

FIGURES: dict[str, Figure] = {
    "step": Figure(
        measure_step, "trial and bare loop in one process in turn; the step is AdamW's fused one in both."
    ),
    "padding": Figure(measure_padding, "counted at the model over one epoch and one evaluation."),
    "encoding": Figure(
        measure_encoding, "both from sentences read already to files on disk, in one process in turn."
    ),
    "spans": Figure(measure_spans, "each on labels in its own form: numbers for ours, names for seqeval."),
    "matrix": Figure(measure_matrix, "both from a model folder and encoded data to 14 scores."),
    "search-8-short": Figure(
        lambda s, n: measure_search(s, s.sizes.few_trials, s.sizes.short_epoch_s, 0.3, n), _SEARCH
    ),
    "search-8-long": Figure(
        lambda s, n: measure_search(s, s.sizes.few_trials, s.sizes.long_epoch_s, 0.45, n), _SEARCH
    ),
    "search-50-short": Figure(
        lambda s, n: measure_search(s, s.sizes.many_trials, s.sizes.short_epoch_s, 0.3, n), _SEARCH
    ),
    "search-50-long": Figure(
        lambda s, n: measure_search(s, s.sizes.many_trials, s.sizes.long_epoch_s, 0.45, n), _SEARCH
    ),
    "disk-asha": Figure(lambda s, n: measure_disk(s, "asha", n), _DISK),
    "disk-pbt": Figure(lambda s, n: measure_disk(s, "pbt", n), _DISK),
    "driver-100": Figure(lambda s, n: measure_driver(s, s.sizes.driver_trials[0], n), _DRIVER),
    "driver-1000": Figure(lambda s, n: measure_driver(s, s.sizes.driver_trials[1], n), _DRIVER),
    "driver-10000": Figure(lambda s, n: measure_driver(s, s.sizes.driver_trials[2], n), _DRIVER),
    "share": Figure(
        measure_utilization,
        "from the first trial's start to the last measurement, two workers; hooks on model and optimizer "
        "tell training and evaluation from all else.",
    ),
    "memory": Figure(measure_memory, "of one worker, as the system counts it."),
    "quality": Figure(
        measure_quality, "one training per seed and kind of batch; the interval is over the seeds.", repeat=1
    ),
}
"""In the order of the table."""


def select_figures(only: Iterable[str]) -> list[str]:
    """The figures whose names are, or begin with, some words; all where there are no words.

    Raises
    ------
    UserError
        if a word fits none.
    """
    words = [word.strip() for word in only if word.strip()]
    for word in words:
        if not any(name == word or name.startswith(f"{word}-") for name in FIGURES):
            raise unknown("--only", "figure", word, FIGURES)
    return [
        name
        for name in FIGURES
        if not words or name in words or any(name.startswith(f"{word}-") for word in words)
    ]
