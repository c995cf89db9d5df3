"""The comparison as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.search.comparison import (
    NEAR_BEST,
    SCORE_EPOCHS,
    Conditions,
    Interval,
    Row,
)
from benchmarks.search.contestants import UnavailableContestant
from hpo.simulation.surrogate import NEIGHBOURS, PROBES, Surrogate

PEER_PACKAGES = ("hpbandster", "ConfigSpace", "syne-tune")


def render(
    rows: Sequence[Row],
    absent: Sequence[UnavailableContestant],
    surrogate: Surrogate,
    conditions: Conditions,
    versions: Mapping[str, str],
) -> str:
    """What was compared and how, the table, and who was left out."""
    facts, told = surrogate.table.conditions, surrogate.leave_one_out_fit()
    weights = ", ".join(f"{name} {weight:g}" for name, weight in surrogate.weights.items())
    marks = " | ".join(f"F1 at {mark} epochs" for mark in SCORE_EPOCHS)
    shown = {name: versions[name] for name in ("python", "ray", "optuna", "hyperopt")}
    shown |= {name: _version(name) for name in PEER_PACKAGES}
    lines = [
        "# Searches on a replay table",
        "",
        f"Each search spends up to {conditions.budget_epochs} epochs with {conditions.workers} simulated "
        f"workers, over {conditions.seeds} seeds. *Found* is the first measurement within "
        f"{1 - NEAR_BEST:.0%} of {surrogate.best:.4f}, the best F1 of {PROBES:,} random configurations on the "
        "table. Intervals are 95 % bootstraps over the seeds. *Ahead* is by how many epochs, on the same seed and in the mean, "
        "it found that before our default: an interval over 0 is a peer that beats it. First guesses are "
        "left out, so nobody is told where to start.",
        "",
        f"| search | epochs until found | of random's | found | {marks} | mean rank | ahead, epochs |",
        "|---|---:|---:|---:|" + "---:|" * (len(SCORE_EPOCHS) + 2),
    ]
    for row in rows:
        title = f"**{row.title}**" if row.ours else row.title
        scores = " | ".join(_shown(score, 4) for score in row.scores)
        censored = row.epochs.value >= conditions.budget_epochs
        epochs = f"over {conditions.budget_epochs}" if censored else _shown(row.epochs, 0)
        lines.append(
            f"| {title} | {epochs} | {_shown(row.ratio, 2)} | {row.found}/{conditions.seeds} | {scores} "
            f"| {_shown(row.rank, 1)} | {_shown(row.ahead, 0)} |"
        )
    lines += ["", "Ours are bold. Not compared:" if absent else "Ours are bold.", ""]
    lines += [f"- {each.title}: {each.reason}" for each in absent]
    lines += [
        "",
        "## Conditions",
        "",
        f"- Table: {surrogate.table.name}, {surrogate.size} random configurations × {facts['epochs']} "
        f"epochs of `{facts['model']}` on {facts['tags']} `{facts['corpus']}` "
        f"(sha256 {facts['corpus_sha256'][:12]}…), trained on the {facts['train_on']} variant, dev F1.",
        f"- Surrogate: Gaussian-kernel mean of the {NEIGHBOURS} nearest recorded curves; "
        "hyperparameters weigh "
        f"{weights}. Each recorded curve told from the others: last F1 with R² {told['r2']:.2f}, rank "
        f"correlation {told['rank_correlation']:.2f}. A mean of curves has less noise than a training run.",
        "- Rungs of all: 1, 3 and 9 epochs, one in three passes; all else at each library's defaults.",
        f"- Versions: {', '.join(f'{name} {number}' for name, number in shown.items())}.",
        "- Again: `make bench-search`",
    ]
    return "\n".join(lines) + "\n"


def _shown(interval: Interval, digits: int) -> str:
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
