"""Live progress of a running search: trial counts, best score, trained epochs, time left."""

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

from hpo.reporting.tables import format_params
from hpo.search.controller import TrialController
from hpo.search.trial import State, Trial, rank_trials

LINE_EVERY_S = 10.0
"""Interval between progress lines if the output is not a terminal."""


@contextmanager
def show_progress(controller: TrialController, console: Console) -> Iterator[None]:
    """Show the progress of a search while the block runs: live on a terminal, as lines otherwise."""
    progress = ProgressDisplay(controller)
    if console.is_terminal:
        with Live(get_renderable=progress.draw, console=console, refresh_per_second=2, transient=True):
            yield
    else:
        printed = -LINE_EVERY_S

        def print_line(trial: Trial) -> None:
            nonlocal printed
            if time.monotonic() - printed >= LINE_EVERY_S:
                printed = time.monotonic()
                console.print(progress.line(), soft_wrap=True, highlight=False)

        controller.add_listener(print_line)
        yield
    console.print(progress.line(), soft_wrap=True, highlight=False)


class ProgressDisplay:
    """Renders the state of a search as text."""

    def __init__(self, controller: TrialController) -> None:
        self._controller = controller
        self._start_s = time.monotonic()
        self._ended_at_start = sum(trial.state != State.RUNNING for trial in controller.trials)

    def line(self) -> str:
        """Return counts, best score, epochs and times in one line."""
        trials = list(self._controller.trials)
        return " · ".join(
            [_counts(trials, self._controller.total_trials), _best(trials), self._times(trials)]
        )

    def draw(self) -> RenderableType:
        """Return the same on three lines, with a progress bar and the running trials."""
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
                Text(format_params(trial.params), style="dim"),
            )
        if not any(trial.measurements for trial in trials):
            running.add_row(Text("  workers are starting and loading the model and the data", style="dim"))
        return Group(
            Text(self._controller.study.name, style="bold"),
            ProgressBar(total=total, completed=done, width=60),
            Text(""),
            Text(_counts(trials, total)),
            Text(_best(trials), style="green"),
            Text(self._times(trials)),
            running,
        )

    def _times(self, trials: list[Trial]) -> str:
        epochs = sum(trial.epochs for trial in trials)
        elapsed = time.monotonic() - self._start_s
        left = self._left_s(trials, elapsed)
        remaining = "" if left is None else f" · {_clock(left)} left" if left else " · done"
        return f"{epochs:.1f} epochs · {_clock(elapsed)} elapsed{remaining}"

    def _left_s(self, trials: list[Trial], elapsed: float) -> float | None:
        """Estimate the seconds left from the trials that ended since the start; None if there are none."""
        ended = sum(trial.state != State.RUNNING for trial in trials)
        ended_since = ended - self._ended_at_start
        left = self._controller.total_trials - ended
        if left <= 0:
            return 0.0
        return elapsed / ended_since * left if ended_since > 0 else None


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
