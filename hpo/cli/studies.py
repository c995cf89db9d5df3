"""The commands that list, show and rerank the studies under results/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import AsJson, StudyName, console, print_json, write_output


def ls(as_json: AsJson = False) -> None:
    """List the studies under results/, oldest first.

    Example: hpo ls --json
    """
    from hpo.reporting.study_list import render_study_table, summarize_studies

    studies = summarize_studies()
    if as_json:
        print_json(studies)
    else:
        print(render_study_table(studies), end="")


def show(
    name: StudyName,
    group_by: Annotated[
        str | None, typer.Option(help="group trials and scores by this searched hyperparameter")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a study: matrix rows, default and best configuration, importances, every trial.

    Example: hpo show demo-suc-original-cased-asha --group-by batch_size
    """
    from hpo.reporting.study_list import describe_groups, describe_study, render_study

    if as_json:
        print_json(describe_groups(name, group_by) if group_by else describe_study(name))
    else:
        print(render_study(name, group_by))


def rerank(
    name: StudyName,
    top: Annotated[int, typer.Option(min=1, max=100, help="number of best configurations")] = 5,
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="training runs per configuration")] = 5,
    as_json: AsJson = False,
) -> None:
    """Retrain the best configurations of a study under new seeds and rank them by mean F1.

    The default configuration is included, and every run is scored on dev and test. Rerunning the command
    resumes an interrupted one.

    Example: hpo rerank demo-suc-original-cased-asha --top 3 --seeds 5
    """
    from hpo.reporting.seeds import render_seed_scores
    from hpo.reporting.study_record import read_record
    from hpo.storage.study_folder import StudyFolder
    from hpo.workflows.rerank import rerank as rerank_study

    found = rerank_study(name, top, seeds, console())
    folder = StudyFolder(name)
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        print(render_seed_scores(read_record(folder.rerank_study)))
        print(f"Best run's model: {folder.rerank_study.best / '1'}   Report: {folder.report}")


def matrix(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="STUDY", help="if not given, all finished studies")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="write the markdown to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the result matrix of finished studies.

    Example: hpo matrix --out results/matrix.md
    """
    from hpo.reporting.report import render_matrices
    from hpo.reporting.study_list import collect_rows

    rows = collect_rows(studies or [])
    if as_json:
        print_json(rows)
    elif out:
        write_output(out, render_matrices(rows))
    else:
        print(render_matrices(rows))
