"""All figures taken so far: one JSON file into which single figures are written, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.rows import Row, Spread
from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json, write_json, write_text

VERSION = 1


def save_figure(path: Path, name: str, rows: Sequence[Row], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put a figure's rows, and what they were measured on, in place of its old ones; all others stay.

    Raises
    ------
    UserError
        if the file is not one of ours.
    """
    results = read_results(path)
    results["figures"][name] = {"rows": [row.to_json() for row in rows], **facts}
    write_json(path, results)
    return results


def read_results(path: Path) -> dict[str, Any]:
    """The figures taken so far.

    Raises
    ------
    UserError
        if the file is not one of ours.
    """
    if not path.exists():
        return {"version": VERSION, "figures": {}}
    try:
        results = read_json(path)
        if results["version"] == VERSION and isinstance(results["figures"], dict):
            return dict(results)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(Issue(str(path), "is no bench of this version", None, "move it, or give another --out"))


def write_report(results: Mapping[str, Any], order: Iterable[str], path: Path, notes: Path) -> str:
    """Write the table, and below it the notes where there are any; return it."""
    text = render(results, order)
    if notes.exists():
        text += "\n" + notes.read_text(encoding="utf-8")
    write_text(path, text)
    return text


def render(results: Mapping[str, Any], order: Iterable[str]) -> str:
    """The table of all figures taken, in the order of the registry, as markdown."""
    order = list(order)
    taken = {name: results["figures"][name] for name in order if name in results["figures"]}
    lines = [
        "# Speed, disk and memory, beside what people would use instead",
        "",
        "Medians with [least, greatest] of n repetitions; the arms of a repetition ran one after the other, "
        "on the same data, threads and seeds. A ratio is taken within each repetition. `×` is of the peer's; "
        "where at least so much is asked, it is how many times as fast (or as full) ours is.",
        "",
        "| figure | against | measured | asked | met | ours | peer | n | the same work |",
        "|---|---|---|---|---|---|---|---:|---|",
    ]
    for figure in taken.values():
        lines += [_table_line(Row.from_json(row)) for row in figure["rows"]]
    missing = [name for name in order if name not in taken]
    if missing:
        lines += ["", f"Not taken yet: {', '.join(missing)}."]
    lines += ["", "## Conditions", ""]
    lines += [f"- {condition}: {', '.join(names)}" for condition, names in _conditions(taken).items()]
    lines += ["", "## What the figures are", ""]
    lines += [f"- **{name}**: {figure['about']}" for name, figure in taken.items()]
    return "\n".join(lines) + "\n"


def _table_line(row: Row) -> str:
    suffix = "×" if row.is_ratio else f" {row.unit}".rstrip()
    asked = "" if row.asked is None else f"{'≤' if row.asked.at_most else '≥'} {row.asked.value:g}{suffix}"
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    work = row.work if row.alike else f"**not the same:** {row.work}"
    peer = "" if row.peer is None else f"{_format_spread(row.peer)} {row.unit}"
    cells = (row.what, row.against, f"{_format_spread(row.figure)}{suffix}", asked, met)
    return (
        f"| {' | '.join((*cells, f'{_format_spread(row.ours)} {row.unit}', peer, str(row.figure.n), work))} |"
    )


def _format_spread(spread: Spread) -> str:
    if spread.n == 1:
        return f"{spread.median:.3g}"
    return f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]"


def _conditions(taken: Mapping[str, Any]) -> dict[str, list[str]]:
    """The figures under each machine, commit, versions and data that they were measured on."""
    grouped: dict[str, list[str]] = {}
    for name, figure in taken.items():
        machine, versions = figure["machine"], figure["machine"]["versions"]
        shown = ", ".join(f"{package} {number}" for package, number in versions.items())
        corpus = figure["corpus"]
        text = (
            f"{machine['cores']} cores of {machine['processor']}; {shown}; commit "
            f"{machine['commit'][:12] or 'unknown'}; corpus {corpus['name']} (sha256 "
            f"{corpus['sha256'][:12]}…, tags {corpus['tags']})"
            f"{'; sizes for a trial run only' if figure['quick'] else ''}"
            f"{'; under py-spy' if figure['profiled'] else ''}"
        )
        grouped.setdefault(text, []).append(name)
    return grouped
