"""Lists the figures by name, with how each is measured and how to read it."""

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
    SearchSize,
    measure_disk,
    measure_memory,
    measure_search,
    measure_utilization,
)
from benchmarks.speed.settings import BenchmarkContext
from hpo.errors import unknown


@dataclass(frozen=True)
class Figure:
    """One figure: a function of the context and the number of repetitions, and its description."""

    measure: Callable[[BenchmarkContext, int], list[Row]]
    about: str
    repeat: int = 5


_SEARCH = (
    "both searches receive the same configurations in the same order, ASHA with rungs at 1 and 3 epochs, "
    "and two workers. Time is measured from the call, before Ray starts, to the winner. Each stops trials by "
    "the rule of its library and orders them by F1 and then by loss, so the numbers of epochs may differ; "
    "the second row is per epoch. The plain loop trains each trial for as many epochs as our search did, on "
    "two processes that have loaded everything before the time starts."
)
_DISK = (
    "`write_bytes` of every thread of the contestant, read from `/proc` ten times per second: pages dirtied "
    "in files, including Ray's logs, but neither sockets nor shared memory. The peak is the size of all "
    "files of the contestant except Ray's logs, sampled as often."
)
_DRIVER = (
    "from the first to the last result at the driver, after both workers have started, with Ray's loggers "
    "off in both contestants, as in our driver. Our driver creates a trial when a worker is free, within the "
    "measured time, and so does the peer in the first row; in the second row its trials are created "
    "beforehand, which is Ray Tune's default. Memory growth is that of the driver over the same time."
)


def _search(trials: str, epoch_s: str, limit: float) -> Figure:
    """Return a search figure, given the names of its sizes and the upper limit of its ratio."""

    def measure(context: BenchmarkContext, repeat: int) -> list[Row]:
        sizes = context.sizes
        size = SearchSize(getattr(sizes, trials), getattr(sizes, epoch_s), limit)
        return measure_search(context, size, repeat)

    return Figure(measure, _SEARCH)


FIGURES: dict[str, Figure] = {
    "step": Figure(
        measure_step, "trial and plain loop alternate in one process; both use the fused AdamW step."
    ),
    "padding": Figure(measure_padding, "counted at the model over one epoch and one evaluation."),
    "encoding": Figure(
        measure_encoding, "from sentences in memory to files on disk; both alternate in one process."
    ),
    "spans": Figure(
        measure_spans, "each on labels in its own representation: numbers for ours, names for seqeval."
    ),
    "matrix": Figure(measure_matrix, "both from a model folder and encoded data to 14 scores."),
    "search-8-short": _search("few_trials", "short_epoch_s", 0.3),
    "search-8-long": _search("few_trials", "long_epoch_s", 0.45),
    "search-50-short": _search("many_trials", "short_epoch_s", 0.3),
    "search-50-long": _search("many_trials", "long_epoch_s", 0.45),
    "disk-asha": Figure(lambda context, n: measure_disk(context, "asha", n), _DISK),
    "disk-pbt": Figure(lambda context, n: measure_disk(context, "pbt", n), _DISK),
    "driver-100": Figure(
        lambda context, n: measure_driver(context, context.sizes.driver_trials[0], n), _DRIVER
    ),
    "driver-1000": Figure(
        lambda context, n: measure_driver(context, context.sizes.driver_trials[1], n), _DRIVER
    ),
    "driver-10000": Figure(
        lambda context, n: measure_driver(context, context.sizes.driver_trials[2], n), _DRIVER
    ),
    "share": Figure(
        measure_utilization,
        "from the start of the first trial to the last measurement, with two workers; hooks on model and "
        "optimizer separate training and evaluation from everything else.",
    ),
    "memory": Figure(measure_memory, "resident memory of one worker, as reported by the operating system."),
    "quality": Figure(
        measure_quality,
        "one training run per seed and kind of batch; the interval is over the seeds.",
        repeat=1,
    ),
}
"""In the order of the table."""


def select_figures(only: Iterable[str]) -> list[str]:
    """Return the figures whose name is a given word or starts with one; all of them without a word.

    A word matches whole parts of a name: ``search-8`` matches ``search-8-short``, ``sp`` matches nothing.

    Raises
    ------
    UserError
        if a word matches no figure.
    """
    words = [word.strip() for word in only if word.strip()]
    for word in words:
        if not any(_matches(name, word) for name in FIGURES):
            raise unknown("--only", "figure", word, FIGURES)
    return [name for name in FIGURES if not words or any(_matches(name, word) for word in words)]


def _matches(name: str, word: str) -> bool:
    return name == word or name.startswith(f"{word}-")
