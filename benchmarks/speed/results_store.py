"""Stores all figures measured so far in one JSON file, and renders them as a markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.rows import Row, Spread
from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json, write_json, write_text

VERSION = 1


def save_figure(path: Path, name: str, rows: Sequence[Row], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the rows and conditions of a figure, and return all figures.

    Raises
    ------
    UserError
        if the file is not a results file of this version.
    """
    results = read_results(path)
    results["figures"][name] = {"rows": [row.to_json() for row in rows], **facts}
    write_json(path, results)
    return results


def read_results(path: Path) -> dict[str, Any]:
    """Return all figures measured so far.

    Raises
    ------
    UserError
        if the file is not a results file of this version.
    """
    if not path.exists():
        return {"version": VERSION, "figures": {}}
    version = None
    try:
        results = read_json(path)
        version = results["version"]
        if version == VERSION and isinstance(results["figures"], dict):
            return dict(results)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(
        Issue(
            str(path),
            f"must be a benchmark results file of version {VERSION}",
            version,
            "move it away, or give another --out",
        )
    )


def write_report(results: Mapping[str, Any], order: Iterable[str], path: Path, notes: Path) -> str:
    """Write the table, followed by the notes if that file exists, and return the text."""
    text = render(results, order)
    if notes.exists():
        text += "\n" + notes.read_text(encoding="utf-8")
    write_text(path, text)
    return text


def render(results: Mapping[str, Any], order: Iterable[str]) -> str:
    """Return the table of all figures measured so far, in the given order of names, as markdown."""
    order = list(order)
    measured = {name: results["figures"][name] for name in order if name in results["figures"]}
    lines = [
        "# Speed, disk and memory, compared with other tools",
        "",
        "Medians with [smallest, largest] of n repetitions. Within a repetition, the contestants run in "
        "sequence on the same data, threads and seeds, and ratios are taken within each repetition. `×` is "
        "the ratio of ours to the peer's; if the target is a lower limit (≥), it is how many times as fast "
        "(or as full) ours is.",
        "",
        "| figure | compared with | measured | target | met | ours | peer | n | same work |",
        "|---|---|---|---|---|---|---|---:|---|",
    ]
    for figure in measured.values():
        lines += [_table_line(Row.from_json(row)) for row in figure["rows"]]
    missing = [name for name in order if name not in measured]
    if missing:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    lines += ["", "## Conditions", ""]
    lines += [f"- {conditions}: {', '.join(names)}" for conditions, names in _conditions(measured).items()]
    lines += ["", "## How the figures are measured", ""]
    lines += [f"- **{name}**: {figure['about']}" for name, figure in measured.items()]
    return "\n".join(lines) + "\n"


def _table_line(row: Row) -> str:
    label, unit = row.label, row.label.unit
    suffix = "×" if row.is_ratio else f" {unit}".rstrip()
    target = (
        "" if row.target is None else f"{'≤' if row.target.at_most else '≥'} {row.target.value:g}{suffix}"
    )
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    work = row.work.description if row.work.same else f"**not the same:** {row.work.description}"
    ours = f"{_format_spread(row.ours)} {unit}"
    peer = "" if row.peer is None else f"{_format_spread(row.peer)} {unit}"
    measured = f"{_format_spread(row.figure)}{suffix}"
    cells = (label.title, label.baseline, measured, target, met, ours, peer, str(row.figure.n), work)
    return f"| {' | '.join(cells)} |"


def _format_spread(spread: Spread) -> str:
    if spread.n == 1:
        return f"{spread.median:.3g}"
    return f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]"


def _conditions(measured: Mapping[str, Any]) -> dict[str, list[str]]:
    """Group the names of the figures by machine, versions, commit and corpus."""
    grouped: dict[str, list[str]] = {}
    for name, figure in measured.items():
        machine, corpus = figure["machine"], figure["corpus"]
        versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
        text = (
            f"{machine['cores']} cores of {machine['processor']}; {versions}; commit "
            f"{machine['commit'][:12] or 'unknown'}; corpus {corpus['name']} (sha256 "
            f"{corpus['sha256'][:12]}…, tags {corpus['tags']})"
            f"{'; sizes for a smoke test only' if figure['quick'] else ''}"
            f"{'; under py-spy' if figure['profiled'] else ''}"
        )
        grouped.setdefault(text, []).append(name)
    return grouped
