"""Runs one study for each row of the result matrix and skips the rows that are finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hpo.config.study import Study, build_study, default_name, load_study
from hpo.corpora.tag_families import load_family
from hpo.corpora.variants import VARIANTS
from hpo.errors import StudyInterrupted, UserError, unknown
from hpo.evaluation.matrix import MatrixRow
from hpo.storage.yaml_files import Key, read_yaml
from hpo.workflows.resolve import with_free_name, with_warm_start
from hpo.workflows.run import run


@dataclass(frozen=True)
class GridRows:
    """The rows of a grid: every combination of its tag families, case variants and algorithms.

    Each field is a comma-separated list; ``train_on`` may be ``all``. None takes the value of the study
    file, or else every variant, ``suc-original`` and ``asha``.
    """

    train_on: str | None = None
    tags: str | None = None
    algorithms: str | None = None


def plan_rows(
    options: dict[str, Any],
    rows: GridRows,
    file: Path | None = None,
    names: Mapping[Key, str] | None = None,
) -> list[Study]:
    """Return a study for every tag family, case variant and algorithm of a grid, in this nesting order.

    ``options`` are fields of every study and win over those of the study file ``file``; ``names`` are what
    the user calls them, as in `build_study`. A name in either becomes the prefix of the studies' names.

    Raises
    ------
    UserError
        If a variant, family or algorithm is unknown, or the file or a study is invalid.
    """
    base = _fields(file)
    train_on = rows.train_on or str(base.get("train_on", "all"))
    tags = rows.tags or str(base.get("tags", "suc-original"))
    algorithms = rows.algorithms or str(base.get("algorithm", "asha"))
    variants = list(VARIANTS) if train_on == "all" else train_on.split(",")
    for variant in variants:
        if variant not in VARIANTS:
            raise unknown("--train-on", "case variant", variant, (*VARIANTS, "all"))
    for family in tags.split(","):
        load_family(family)
    return [
        _study(file, base, options | {"train_on": variant, "tags": family, "algorithm": algorithm}, names)
        for family in tags.split(",")
        for variant in variants
        for algorithm in algorithms.split(",")
    ]


def _fields(file: Path | None) -> Mapping[str, Any]:
    data = read_yaml(file).data if file else {}
    return data if isinstance(data, dict) else {}


def _study(
    file: Path | None, base: Mapping[str, Any], options: dict[str, Any], names: Mapping[Key, str] | None
) -> Study:
    name = default_name({**base, **options})
    if prefix := options.get("name") or base.get("name"):
        # The rows share data and model, so the prefix stands for both.
        varied = {field: options[field] for field in ("tags", "train_on", "algorithm")}
        name = "-".join((str(prefix), *(Path(value).stem for value in varied.values())))
    options = options | {"name": name}
    study = build_study(options, names) if file is None else load_study(file, options, names)
    return with_free_name(with_warm_start(study))


def run_rows(
    studies: Sequence[Study], console: Console | None = None, *, quiet: bool = False
) -> tuple[list[MatrixRow], list[UserError]]:
    """Run studies one after the other and return the finished rows and the errors of failed studies.

    A failed study does not stop the others. Progress is shown on ``console``, by default standard error,
    unless ``quiet``.
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
