"""What the commands share: printing, and the arguments that several of them take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hpo.errors import Issue, UserError

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="print what would run and what it would cost; run nothing")
]
StudyFile = Annotated[
    Path | None, typer.Argument(metavar="STUDY.yaml", help="a study file; options override its settings")
]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="a study under results/")]
Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="a model folder, such as results/STUDY/best/1")
]
Data = Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")]
Tags = Annotated[str, typer.Option(help="a tag family, by name or as a YAML file")]
Seed = Annotated[int, typer.Option(help="seed of the mixed case variants")]


def console() -> Console:
    """Return a console for progress and notes, on standard error."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print plain data, dataclasses or pydantic models as JSON."""
    from pydantic import TypeAdapter

    print(json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), indent=1, ensure_ascii=False))


def print_scores(scores: Any, as_json: bool) -> None:
    """Print scores by split and variant, as a table or as JSON."""
    from hpo.reporting.report import render_scores

    if as_json:
        print_json(scores)
    else:
        print(render_scores(scores))


def write_output(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    from hpo.storage.atomic import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise UserError(Issue(str(path), "cannot be written", error.strerror)) from None
