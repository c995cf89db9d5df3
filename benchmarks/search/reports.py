"""Renders the comparison of search algorithms as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.search.comparison import NEAR_BEST, SCORE_EPOCHS, Comparison, Conditions, Interval, SummaryRow
from hpo.simulation.surrogate import NEIGHBOURS, PROBES, Surrogate

PEER_PACKAGES = ("hpbandster", "ConfigSpace", "syne-tune")


def render(
    rows: Sequence[SummaryRow], comparison: Comparison, conditions: Conditions, versions: Mapping[str, str]
) -> str:
    """Return the table, the contestants that did not run, and the conditions of the comparison."""
    surrogate = comparison.surrogate
    score_columns = " | ".join(f"F1 at {epochs} epochs" for epochs in SCORE_EPOCHS)
    lines = [
        "# Search algorithms on recorded learning curves",
        "",
        f"Each search spends up to {conditions.budget_epochs} epochs with {conditions.workers} simulated "
        f"workers, over {conditions.seeds} seeds. A search has *found* the best configuration at its first "
        f"measurement within {1 - NEAR_BEST:.0%} of {surrogate.best:.4f}, the best F1 of {PROBES:,} random "
        "configurations under the surrogate. Intervals are 95 % bootstrap intervals over the seeds. "
        "*Ahead* is the mean number of epochs by which a search finds it before our default on the same "
        "seed; an interval above 0 means that it beats our default. No search receives points to evaluate.",
        "",
        f"| search | epochs until found | of random's | found | {score_columns} | mean rank "
        "| ahead, epochs |",
        "|---|---:|---:|---:|" + "---:|" * (len(SCORE_EPOCHS) + 2),
        *(_table_line(row, conditions) for row in rows),
        "",
        "Ours are bold. Not compared:" if comparison.unavailable else "Ours are bold.",
        "",
        *(f"- {each.title}: {each.reason}" for each in comparison.unavailable),
        "",
        "## Conditions",
        "",
        *_conditions(surrogate, versions),
    ]
    return "\n".join(lines) + "\n"


def _table_line(row: SummaryRow, conditions: Conditions) -> str:
    title = f"**{row.title}**" if row.ours else row.title
    scores = " | ".join(_format(score, 4) for score in row.scores)
    censored = row.epochs.value >= conditions.budget_epochs
    epochs = f"over {conditions.budget_epochs}" if censored else _format(row.epochs, 0)
    return (
        f"| {title} | {epochs} | {_format(row.ratio, 2)} | {row.found}/{conditions.seeds} | {scores} "
        f"| {_format(row.rank, 1)} | {_format(row.ahead, 0)} |"
    )


def _conditions(surrogate: Surrogate, versions: Mapping[str, str]) -> list[str]:
    facts, fit = surrogate.table.conditions, surrogate.leave_one_out_fit()
    weights = ", ".join(f"{name} {weight:g}" for name, weight in surrogate.weights.items())
    packages = {name: versions[name] for name in ("python", "ray", "optuna", "hyperopt")}
    packages |= {name: _version(name) for name in PEER_PACKAGES}
    return [
        f"- Table: {surrogate.table.name}, {surrogate.size} random configurations × {facts['epochs']} "
        f"epochs of `{facts['model']}` on {facts['tags']} `{facts['corpus']}` "
        f"(sha256 {facts['corpus_sha256'][:12]}…), trained on the {facts['train_on']} variant, dev F1.",
        f"- Surrogate: Gaussian-kernel mean of the {NEIGHBOURS} nearest recorded curves; weights of the "
        f"hyperparameters: {weights}. Leave-one-out prediction of the last F1: R² {fit['r2']:.2f}, rank "
        f"correlation {fit['rank_correlation']:.2f}. A mean of curves has less noise than a training run.",
        "- Rungs of all searches: 1, 3 and 9 epochs, with one in three trials promoted; everything else is "
        "at the default of each library.",
        f"- Versions: {', '.join(f'{name} {number}' for name, number in packages.items())}.",
        "- To reproduce: `make bench-search`",
    ]


def _format(interval: Interval, digits: int) -> str:
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
