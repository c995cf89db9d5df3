"""The live display of a running search: counts, the best so far, epochs spent, time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpo.search.controller import TrialController
from hpo.search.trial import State, Trial, format_params, rank_trials

LINE_EVERY_S = 10.0
"""How often a line is printed where there is no terminal to draw on."""


@contextmanager
def show_progress(controller: TrialController, workers: int, console: Console) -> Iterator[None]:
    """Show a search while the block runs: drawn in place on a terminal, a line now and then elsewhere."""
    progress = ProgressDisplay(controller, workers)
    if console.is_terminal:
        with Live(get_renderable=progress.draw, console=console, refresh_per_second=2, transient=True):
            yield
    else:
        printed = -LINE_EVERY_S

        def line(trial: Trial) -> None:
            nonlocal printed
            if time.monotonic() - printed >= LINE_EVERY_S:
                printed = time.monotonic()
                console.print(progress.line(), soft_wrap=True, highlight=False)

        controller.add_listener(line)
        yield
    console.print(progress.line(), soft_wrap=True, highlight=False)


class ProgressDisplay:
    """The state of a search in words."""

    def __init__(self, controller: TrialController, workers: int) -> None:
        self._controller = controller
        self._workers = workers
        self._began = time.monotonic()
        self._ended_before = sum(trial.state != State.RUNNING for trial in controller.trials)

    def line(self) -> str:
        """Counts, best, epochs, time: all in one line."""
        trials = list(self._controller.trials)
        return " · ".join(
            [_counts(trials, self._controller.total_trials), _best(trials), self._spent(trials)]
        )

    def draw(self) -> RenderableType:
        """The same on three lines, with a bar and the running trials."""
        trials = list(self._controller.trials)
        total = self._controller.total_trials
        done = sum(trial.state != State.RUNNING for trial in trials)
        running = Table.grid(padding=(0, 2))
        for trial in [each for each in trials if each.state == State.RUNNING][:8]:
            last = trial.measurements[-1].f1 if trial.measurements else None
            running.add_row(
                f"  trial {trial.number}",
                f"epoch {trial.epochs:.2f}",
                "F1 -" if last is None else f"F1 {last:.4f}",
                Text(format_params(trial.params, "=", " "), style="dim"),
            )
        if not any(trial.measurements for trial in trials):
            running.add_row(Text("  the workers start, and load the model and the data", style="dim"))
        return Group(
            Text(self._controller.study.name, style="bold"),
            ProgressBar(total=total, completed=done, width=60),
            Text(""),
            Text(_counts(trials, total)),
            Text(_best(trials), style="green"),
            Text(self._spent(trials)),
            running,
        )

    def _spent(self, trials: list[Trial]) -> str:
        epochs = sum(trial.epochs for trial in trials)
        elapsed = time.monotonic() - self._began
        left = self._left_s(trials, elapsed)
        rest = "" if left is None else f" · {_clock(left)} left" if left else " · done"
        return f"{epochs:.1f} epochs · {_clock(elapsed)} elapsed{rest}"

    def _left_s(self, trials: list[Trial], elapsed: float) -> float | None:
        """Seconds left if the trials to come take as long as those that ended; None before any has."""
        ended = sum(trial.state != State.RUNNING for trial in trials)
        fresh = ended - self._ended_before
        left = self._controller.total_trials - ended
        if left <= 0:
            return 0.0
        return elapsed / fresh * left if fresh > 0 else None


def _counts(trials: list[Trial], total: int) -> str:
    states = Counter(trial.state for trial in trials)
    done = sum(count for state, count in states.items() if state != State.RUNNING)
    text = f"{done}/{total} trials done ({states[State.STOPPED]} stopped early"
    text += f", {states[State.FAILED]} failed)" if states[State.FAILED] else ")"
    return f"{text} · {states[State.RUNNING]} running"


def _best(trials: list[Trial]) -> str:
    best = rank_trials(trials)[:1]
    if not best or best[0].best is None:
        return "no score yet"
    measurement = best[0].best
    return f"best F1 {measurement.f1:.4f} (trial {best[0].number}, epoch {measurement.epoch:g})"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
