"""Plots of a study: learning curves of all trials, and confusion matrices of the best model.

Each plot is saved as PNG and as SVG; the same numbers give the same files, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpo.evaluation.confusion import OUTSIDE, Confusion
from hpo.reporting.study_record import StudyRecord
from hpo.search.default_trial import default_trial
from hpo.search.trial import Trial, rank_trials
from hpo.training.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEST, DEFAULT, OTHER = "#0072b2", "#d55e00", "#9a9a9a"
"""Blue and vermilion of the colour-blind safe palette by Okabe and Ito, and grey."""
DOTS_PER_INCH = 150
MAX_ANNOTATED = 24
"""The cells of a larger table are too small for numbers."""
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "svg.hashsalt": "hpo",
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Plot:
    """A plot with the stem of its file names and its alternative text."""

    name: str
    title: str
    draw: Callable[[], Figure]


def available_plots(record: StudyRecord) -> list[Plot]:
    """Return the plots for which the study has data."""
    found = []
    if any(trial.measurements for trial in record.trials):
        found.append(Plot("learning-curves", "Learning curves", lambda: _curves(record)))
    for split, table in record.confusions.items():
        where = f"{split}, {table.variant}"
        found += [
            Plot(
                f"confusion-entities-{split}",
                f"Entity confusion matrix, {where}",
                lambda table=table, where=where: _entities(record, table, where),  # type: ignore[misc]
            ),
            Plot(
                f"confusion-tokens-{split}",
                f"Token confusion matrix, {where}",
                lambda table=table, where=where: _tokens(record, table, where),  # type: ignore[misc]
            ),
        ]
    return found


def draw_plots(record: StudyRecord, folder: Path) -> list[Plot]:
    """Save every plot of a study as ``NAME.png`` and ``NAME.svg`` in a folder."""
    import matplotlib

    found = available_plots(record)
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(_STYLE):
        for plot in found:
            figure = plot.draw()
            _save_png(figure, folder / f"{plot.name}.png")
            figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
    return found


def _save_png(figure: Figure, path: Path) -> None:
    """Save with a palette of 256 colours, which halves the file size without a visible difference."""
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    with Image.open(buffer) as image:
        quantized = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    quantized.save(path, optimize=True, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))


def _figure(width: float, height: float) -> Figure:
    """Return a figure of the Agg backend, sizes in inches; pyplot is avoided because it has global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


_PANELS: tuple[tuple[str, Callable[[Measurement], float | None]], ...] = (
    ("micro F1 on dev", lambda at: at.f1),
    ("accuracy on dev", lambda at: at.accuracy),
    ("loss on dev", lambda at: at.loss),
    ("training loss", lambda at: at.train_loss),
)


def _curves(record: StudyRecord) -> Figure:
    figure = _figure(9.6, 6.8)
    panels = [(title, metric) for title, metric in _PANELS if _values(record.trials, metric)]
    axes = figure.subplots(2, 2, sharex=True).flatten()
    best = next(iter(rank_trials(record.trials)), None)
    default = default_trial(record.study, record.trials)
    for position, (axis, (title, metric)) in enumerate(zip(axes, panels, strict=False)):
        for trial in record.trials:
            if trial not in (best, default):
                _line(axis, trial, metric, color=OTHER, linewidth=0.9, alpha=0.55, zorder=1)
        if default is not None and default is not best:
            _line(axis, default, metric, color=DEFAULT, linewidth=1.8, linestyle=(0, (4, 1.5)), zorder=3)
        if best is not None:
            _line(axis, best, metric, color=BEST, linewidth=2.2, zorder=4)
        axis.set_title(title, loc="left")
        if "F1" in title and best is not None and best.best is not None:
            _mark_best(axis, best.best)
        if position >= len(panels) - 2:
            axis.set_xlabel("epoch")
            axis.tick_params(labelbottom=True)
    for axis in axes[len(panels) :]:
        axis.remove()
    _limit(axes[: len(panels)], panels, record.trials)
    figure.suptitle(f"{record.study.name}\nLearning curves, {record.study.train_on}", fontsize=11)
    figure.legend(
        handles=_legend(record.trials, best, default), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def _values(trials: Sequence[Trial], metric: Callable[[Measurement], float | None]) -> list[float]:
    found = (metric(each) for trial in trials for each in trial.measurements)
    return [value for value in found if value is not None]


def _line(axis: Axes, trial: Trial, metric: Callable[[Measurement], float | None], **style: Any) -> None:
    points = [(each.epoch, value) for each in trial.measurements if (value := metric(each)) is not None]
    if points:
        epochs, values = zip(*points, strict=True)
        if len(points) == 1:
            style |= {"marker": "o", "markersize": 3}
        axis.plot(epochs, values, **style)


def _mark_best(axis: Axes, at: Measurement) -> None:
    axis.plot([at.epoch], [at.f1], marker="o", markersize=6, color=BEST, markeredgecolor="white", zorder=5)
    axis.annotate(
        f"{at.f1:.4f}",
        (at.epoch, at.f1),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        color=BEST,
        fontweight="bold",
        zorder=6,
    )


def _limit(
    axes: Sequence[Axes],
    panels: Sequence[tuple[str, Callable[[Measurement], float | None]]],
    trials: Sequence[Trial],
) -> None:
    """Set the axis limits of each panel, starting at epoch 0, with a margin for the label of the highest F1.

    The highest 2 % of the losses are cut off, because one diverging run would flatten all others.
    """
    last = max(trial.epochs for trial in trials)
    for axis, (title, metric) in zip(axes, panels, strict=True):
        axis.set_xlim(0, last * 1.03)
        values = [value for value in _values(trials, metric) if np.isfinite(value)]
        if not values:
            continue
        if "loss" in title:
            axis.set_ylim(0, max(float(np.quantile(values, 0.98)) * 1.1, min(values) * 1.2, 1e-3))
        else:
            margin = 0.1 * (max(values) - min(values)) + 0.01
            axis.set_ylim(min(values) - margin / 3, max(values) + margin)


def _legend(trials: Sequence[Trial], best: Trial | None, default: Trial | None) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    if best is not None:
        name = "best, and default" if best is default else "best"
        handles.append(Line2D([], [], color=BEST, linewidth=2.2, label=f"{name}: trial {best.number}"))
    if default is not None and default is not best:
        label = f"default: trial {default.number}"
        handles.append(Line2D([], [], color=DEFAULT, linewidth=1.8, linestyle=(0, (4, 1.5)), label=label))
    others = len(trials) - len(handles)
    if others:
        handles.append(Line2D([], [], color=OTHER, linewidth=0.9, label=f"{others} other trials"))
    return handles


def _entities(record: StudyRecord, table: Confusion, where: str) -> Figure:
    counts = np.asarray(table.entities)
    rows, columns = (*table.types, "spurious"), (*table.types, "missed")
    title = f"{record.study.name}\nEntity confusion of the best model on {where}"
    return _heatmap(counts, rows, columns, title, empty_corner=True)


def _tokens(record: StudyRecord, table: Confusion, where: str) -> Figure:
    order = [*range(1, len(table.types) + 1), 0]
    counts = table.by_class[np.ix_(order, order)]
    names = (*table.types, OUTSIDE)
    title = (
        f"{record.study.name}\nToken confusion of the best model on {where} (accuracy {table.accuracy:.4f})"
    )
    return _heatmap(counts, names, names, title)


def _heatmap(
    counts: NDArray[np.int64],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    *,
    empty_corner: bool = False,
) -> Figure:
    """Draw a table of counts whose cells are shaded by their share of the row."""
    size = len(rows)
    side = max(4.2, 0.46 * size + 1.6)
    figure = _figure(max(side + 1.2, 0.085 * max(map(len, title.splitlines())) + 0.4), side)
    axis = figure.subplots()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(
        range(size), columns, rotation=45 if size > 4 else 0, ha="right" if size > 4 else "center"
    )
    if size > 4:
        for label in axis.get_xticklabels():
            label.set_rotation_mode("anchor")
    axis.set_yticks(range(size), rows)
    axis.set_xlabel("predicted")
    axis.set_ylabel("gold")
    figure.suptitle(title, fontsize=10.5)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(visible=True, which="minor", color="#dddddd", linewidth=0.8)
    axis.tick_params(which="both", length=0)
    # A line separates the last row and column, which are not entity types.
    axis.axhline(size - 1.5, color="#333333", linewidth=1.1)
    axis.axvline(size - 1.5, color="#333333", linewidth=1.1)
    if size <= MAX_ANNOTATED:
        _annotate(axis, counts, shares, empty_corner)
    bar = figure.colorbar(image, ax=axis, fraction=0.045, pad=0.03, format=lambda share, _: f"{share:.0%}")
    bar.set_label("share of the row")
    bar.outline.set_visible(False)
    return figure


def _annotate(axis: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64], empty_corner: bool) -> None:
    last = len(counts) - 1
    longest = max(len(_short(int(count))) for count in counts.flatten())
    for row, column in np.ndindex(counts.shape):
        corner = empty_corner and row == column == last
        if counts[row, column] or corner:
            axis.text(
                column,
                row,
                "" if corner else _short(int(counts[row, column])),
                ha="center",
                va="center",
                fontsize=9 if longest <= 4 else 7.5,
                color="white" if shares[row, column] > 0.5 else "#222222",
            )


def _short(count: int) -> str:
    return str(count) if count < 100_000 else f"{count / 1000:.0f}k"
