"""The whole result matrix: a study for each row, those that are done skipped."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from hpo.corpora.families import load_family
from hpo.corpora.variants import VARIANTS
from hpo.errors import StudyInterrupted, UserError, unknown
from hpo.evaluation.matrix import MatrixRow
from hpo.run import free_name, run
from hpo.study import Study, build_study


def plan_rows(options: dict[str, Any], *, train_on: str, tags: str, algorithms: str) -> list[Study]:
    """A study for every family × variant × algorithm, each a list separated by commas.

    Raises
    ------
    UserError
        if a variant, family or algorithm is unknown, or a study is refused.
    """
    variants = list(VARIANTS) if train_on == "all" else train_on.split(",")
    for variant in variants:
        if variant not in VARIANTS:
            raise unknown("--train-on", "case variant", variant, (*VARIANTS, "all"))
    for family in tags.split(","):
        load_family(family)
    return [
        free_name(build_study(options | {"train_on": variant, "tags": family, "algorithm": algorithm}))
        for family in tags.split(",")
        for variant in variants
        for algorithm in algorithms.split(",")
    ]


def run_rows(
    studies: list[Study], console: Console | None = None, *, quiet: bool = False
) -> tuple[list[MatrixRow], list[UserError]]:
    """Run studies one after the other; one that fails leaves the others to run.

    Progress is shown on the console, by default standard error, unless ``quiet``.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    rows: list[MatrixRow] = []
    failures: list[UserError] = []
    for number, study in enumerate(studies, 1):
        console.print(f"[{number}/{len(studies)}] {study.name}", markup=False)
        try:
            rows.append(run(study, console))
        except StudyInterrupted:
            raise
        except UserError as failure:
            failures.append(failure)
    return rows, failures
