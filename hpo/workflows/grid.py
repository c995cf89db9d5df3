"""The whole result matrix: a study for each row, those that are done skipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from hpo.config.study import (
    Study,
    build_study,
    default_name,
    load_study,
)
from hpo.corpora.tag_families import load_family
from hpo.corpora.variants import VARIANTS
from hpo.errors import StudyInterrupted, UserError, unknown
from hpo.evaluation.matrix import MatrixRow
from hpo.storage.yaml_files import read_yaml
from hpo.workflows.prepare import free_name
from hpo.workflows.run import run


def plan_rows(
    options: dict[str, Any],
    *,
    train_on: str | None = None,
    tags: str | None = None,
    algorithms: str | None = None,
    file: Path | None = None,
) -> list[Study]:
    """A study for every family × variant × algorithm, each a list separated by commas.

    What is not given is what the study file says, else every variant, suc-original, asha. The options win
    over the file; a name in it stands before those of the rows.

    Raises
    ------
    UserError
        if a variant, family or algorithm is unknown, the file has problems, or a study is refused.
    """
    base = _fields(file)
    train_on, tags, algorithms = (
        given or str(base.get(field, default))
        for given, field, default in (
            (train_on, "train_on", "all"),
            (tags, "tags", "suc-original"),
            (algorithms, "algorithm", "asha"),
        )
    )
    variants = list(VARIANTS) if train_on == "all" else train_on.split(",")
    for variant in variants:
        if variant not in VARIANTS:
            raise unknown("--train-on", "case variant", variant, (*VARIANTS, "all"))
    for family in tags.split(","):
        load_family(family)
    return [
        _row(file, base, options | {"train_on": variant, "tags": family, "algorithm": algorithm})
        for family in tags.split(",")
        for variant in variants
        for algorithm in algorithms.split(",")
    ]


def _fields(file: Path | None) -> Mapping[str, Any]:
    data = read_yaml(file).data if file else {}
    return data if isinstance(data, dict) else {}


def _row(file: Path | None, base: Mapping[str, Any], options: dict[str, Any]) -> Study:
    if file is None:
        return free_name(build_study(options))
    name = default_name({**base, **options})
    if base.get("name"):
        # The file's data and model are those of all rows; its name says so more shortly.
        varied = {field: options[field] for field in ("tags", "train_on", "algorithm")}
        name = "-".join((str(base["name"]), *(Path(value).stem for value in varied.values())))
    return free_name(load_study(file, options | {"name": name}))


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
