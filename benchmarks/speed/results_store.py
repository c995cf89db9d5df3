"""All figures taken so far: one JSON file into which single figures are written, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.rows import Row, Spread
from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json, write_json, write_text

VERSION = 1


def enter(path: Path, name: str, rows: Sequence[Row], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put a figure's rows, and what they were measured on, in place of its old ones; all others stay.

    Raises
    ------
    UserError
        if the file is not one of ours.
    """
    ledger = read(path)
    ledger["figures"][name] = {"rows": [row.to_json() for row in rows], **facts}
    write_json(path, ledger)
    return ledger


def read(path: Path) -> dict[str, Any]:
    """The figures taken so far.

    Raises
    ------
    UserError
        if the file is not one of ours.
    """
    if not path.exists():
        return {"version": VERSION, "figures": {}}
    try:
        ledger = read_json(path)
        if ledger["version"] == VERSION and isinstance(ledger["figures"], dict):
            return dict(ledger)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(Issue(str(path), "is no bench of this version", None, "move it, or give another --out"))


def publish(ledger: Mapping[str, Any], order: Iterable[str], path: Path, notes: Path) -> str:
    """Write the table, and below it the notes where there are any; return it."""
    text = render(ledger, order)
    if notes.exists():
        text += "\n" + notes.read_text(encoding="utf-8")
    write_text(path, text)
    return text


def render(ledger: Mapping[str, Any], order: Iterable[str]) -> str:
    """The table of all figures taken, in the order of the registry, as markdown."""
    order = list(order)
    taken = {name: ledger["figures"][name] for name in order if name in ledger["figures"]}
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
    for entry in taken.values():
        lines += [_line(Row.from_json(row)) for row in entry["rows"]]
    missing = [name for name in order if name not in taken]
    if missing:
        lines += ["", f"Not taken yet: {', '.join(missing)}."]
    lines += ["", "## Conditions", ""]
    lines += [f"- {condition}: {', '.join(names)}" for condition, names in _conditions(taken).items()]
    lines += ["", "## What the figures are", ""]
    lines += [f"- **{name}**: {entry['about']}" for name, entry in taken.items()]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    suffix = "×" if row.is_ratio else f" {row.unit}".rstrip()
    asked = "" if row.asked is None else f"{'≤' if row.asked.at_most else '≥'} {row.asked.value:g}{suffix}"
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    work = row.work if row.alike else f"**not the same:** {row.work}"
    peer = "" if row.peer is None else f"{_shown(row.peer)} {row.unit}"
    cells = (row.what, row.against, f"{_shown(row.figure)}{suffix}", asked, met)
    return f"| {' | '.join((*cells, f'{_shown(row.ours)} {row.unit}', peer, str(row.figure.n), work))} |"


def _shown(spread: Spread) -> str:
    if spread.n == 1:
        return f"{spread.median:.3g}"
    return f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]"


def _conditions(taken: Mapping[str, Any]) -> dict[str, list[str]]:
    """The figures under each machine, commit, versions and data that they were measured on."""
    grouped: dict[str, list[str]] = {}
    for name, entry in taken.items():
        machine, versions = entry["machine"], entry["machine"]["versions"]
        shown = ", ".join(f"{package} {number}" for package, number in versions.items())
        corpus = entry["corpus"]
        text = (
            f"{machine['cores']} cores of {machine['processor']}; {shown}; commit "
            f"{machine['commit'][:12] or 'unknown'}; corpus {corpus['name']} (sha256 "
            f"{corpus['sha256'][:12]}…, tags {corpus['tags']})"
            f"{'; sizes for a trial run only' if entry['quick'] else ''}"
            f"{'; under py-spy' if entry['profiled'] else ''}"
        )
        grouped.setdefault(text, []).append(name)
    return grouped
