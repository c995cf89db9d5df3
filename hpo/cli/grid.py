"""The command that fills the result matrix with one study for each row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.cluster import SiteProfileFile, submit_studies
from hpo.cli.console import DryRun, StudyFile, console
from hpo.cli.options import GivenOptions, accepts, grid_options, job_options
from hpo.errors import Issue, StudyFailed, UserError

ROW_FIELDS = ("train_on", "tags", "algorithm")
"""Fields that make up the rows of a grid, in the order of `GridRows`."""


@accepts("job", job_options())
@accepts("options", grid_options())
def grid(
    file: StudyFile = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="submit the rows to local (in the background), slurm or ray; if not given, they run here, "
            "one after the other"
        ),
    ] = None,
    profile: SiteProfileFile = None,
    dry_run: DryRun = False,
    *,
    options: GivenOptions,
    job: GivenOptions,
) -> None:
    """Run a study for every combination of case variant, tag family and algorithm.

    Finished rows are skipped. With --backend slurm the rows are one job array; hpo matrix collects them.

    Example: hpo grid --train-on cased,uncased,uncased-cased-mix --trials 20
    """
    from hpo.reporting.report import render_matrices
    from hpo.workflows.grid import GridRows, plan_rows, run_rows

    fields = dict(options.fields)
    rows = GridRows(*(fields.pop(field, None) for field in ROW_FIELDS))
    studies = plan_rows(fields, rows, file, options.names)
    if backend:
        submit_studies(studies, backend, job, profile, dry_run=dry_run)
        return
    _reject_job_options(job, profile)
    if dry_run:
        from hpo.reporting.dry_run import render_dry_run

        print("\n".join(render_dry_run(study) for study in studies))
        return
    finished, failures = run_rows(studies, console())
    print(render_matrices(finished))
    if failures:
        raise StudyFailed(issue for failure in failures for issue in failure.issues)


def _reject_job_options(job: GivenOptions, profile: Path | None) -> None:
    given = {job.names[(field,)]: value for field, value in job.fields.items()}
    if profile:
        given["--profile"] = str(profile)
    if given:
        message, hint = "is an option of a submitted job", "add --backend slurm or --backend ray"
        raise UserError(Issue(flag, message, value, hint) for flag, value in given.items())
