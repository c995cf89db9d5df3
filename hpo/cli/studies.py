"""The commands that look at studies under results/, and train the best of one again."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def ls(as_json: AsJson = False) -> None:
    """List the studies under results/, oldest first.

    Example: hpo ls --json
    """
    from hpo.reporting.study_list import render_study_table, summarize_studies

    studies = summarize_studies()
    if as_json:
        _print_json(studies)
    else:
        print(render_study_table(studies), end="")


def show(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="a study under results/")],
    pivot: Annotated[
        str | None, typer.Option(help="trials and scores by this searched hyperparameter instead")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a study: its matrix rows, the defaults against the best, which hyperparameters matter, every
    trial.

    Example: hpo show demo-suc-original-cased-asha --pivot batch_size
    """
    from hpo.reporting.study_list import describe_groups, describe_study, render_study

    if as_json:
        _print_json(describe_groups(name, pivot) if pivot else describe_study(name))
    else:
        print(render_study(name, pivot))


def rerank(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="a study that is done")],
    top: Annotated[int, typer.Option(min=1, max=100, help="best configurations, beside the default one")] = 5,
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="runs of each")] = 5,
    as_json: AsJson = False,
) -> None:
    """Train the best configurations of a study again under fresh seeds, and rank them by their mean.

    The default configuration is trained beside them, and every run is scored on dev and test. The same
    command again goes on with one that was interrupted.

    Example: hpo rerank demo-suc-original-cased-asha --top 3 --seeds 5
    """
    from rich.console import Console

    from hpo.reporting.seeds import render_seed_scores
    from hpo.reporting.study_record import read_record
    from hpo.storage.study_folder import StudyFolder
    from hpo.workflows.rerank import rerank as rerank_study

    found = rerank_study(name, top, seeds, Console(stderr=True, highlight=False))
    folder = StudyFolder(name)
    if as_json:
        _print_json([each.to_json() for each in found])
    else:
        print(render_seed_scores(read_record(folder.rerank_study)))
        print(f"Best run's model: {folder.rerank_study.best / '1'}   Report: {folder.report}")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (ls, show, rerank):
        app.command()(command)
