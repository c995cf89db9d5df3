"""The commands for backends, which run studies elsewhere: submit, resume, status, logs and stop."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.cli.console import AsJson, DryRun, StudyName, console, print_json
from hpo.cli.options import GivenOptions, accepts, job_options, study_options
from hpo.cli.run import print_row, resolve_study
from hpo.errors import Issue, UserError

_BACKENDS = "where to run: local (in the background), slurm or ray"
BackendName = Annotated[str | None, typer.Option("--backend", help=_BACKENDS)]
SiteProfileFile = Annotated[
    Path | None,
    typer.Option(help="a YAML file with the settings of the site", rich_help_panel="With --backend slurm"),
]
STUDY_FILES = (".yaml", ".yml")


@accepts("job", job_options())
@accepts("options", study_options())
def submit(
    source: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="a study file, or a study under results/")
    ] = None,
    backend: BackendName = "local",
    profile: SiteProfileFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    *,
    options: GivenOptions,
    job: GivenOptions,
) -> None:
    """Run a study in the background, as a SLURM job or on a Ray cluster.

    An interrupted study is resumed on the chosen backend. With --backend slurm, --dry-run prints the exact
    job script.

    Example: hpo submit my-study.yaml --backend slurm --nodes 2 --gpus 4 --time 06:00:00
    """
    from hpo.config.study import stored_study
    from hpo.storage.study_folder import StudyFolder

    if source is None or source.endswith(STUDY_FILES):
        study = resolve_study(Path(source) if source else None, options)
    elif options.fields:
        given = ", ".join(flag for key, flag in options.names.items() if key[0] in options.fields)
        hint = "omit them, or submit a new study"
        raise UserError(
            Issue(f"study {source}", "already exists, so its settings cannot change", given, hint)
        )
    else:
        study = stored_study(StudyFolder(source))
    submit_studies([study], backend or "local", job, profile, dry_run=dry_run, as_json=as_json)


def resume(
    name: StudyName,
    backend: Annotated[str | None, typer.Option(help=f"{_BACKENDS}; if not given, here")] = None,
    as_json: AsJson = False,
) -> None:
    """Resume an interrupted study.

    With --backend, it is submitted there with the settings of its last submission to that backend.

    Example: hpo resume demo-suc-original-cased-asha
    """
    from hpo.config.study import stored_study
    from hpo.storage.study_folder import StudyFolder

    study = stored_study(StudyFolder(name))
    if backend is not None:
        submit_studies([study], backend, _earlier_settings(name, backend), as_json=as_json)
        return
    from hpo.workflows.run import run as run_study

    row = run_study(study, console())
    if as_json:
        print_json(row)
    else:
        print_row(row)


def submit_studies(
    studies: Sequence[Any],
    backend: str,
    job: GivenOptions,
    profile: Path | None = None,
    *,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Submit studies and print their jobs; with ``dry_run``, print what would be submitted.

    Raises
    ------
    UserError
        If a study or a setting is invalid, or the backend rejects the job.
    """
    from hpo.cluster.backends import BACKENDS, read_settings
    from hpo.cluster.slurm.backend import SlurmBackend
    from hpo.cluster.slurm.site_profile import SiteProfile, check_gpus_per_trial
    from hpo.workflows.submissions import submit as submit_all

    settings = read_settings(backend, profile, job.fields)
    if isinstance(settings, SiteProfile):
        check_gpus_per_trial(settings, {study.name: study.gpus_per_trial for study in studies})
    if dry_run:
        place = BACKENDS[backend].build(settings)
        script = place.script([study.name for study in studies]) if isinstance(place, SlurmBackend) else ""
        _print_dry_run(studies, script, as_json)
        return
    submissions = submit_all(studies, backend, settings)
    if as_json:
        print_json(submissions)
        return
    for each in submissions:
        print(f"{each.study}: submitted to {backend} as job {each.job}")
    for name in sorted({study.name for study in studies} - {each.study for each in submissions}):
        print(f"{name}: already finished, not submitted")
    if submissions:
        first = submissions[0].study
        print(f"hpo status {first}   hpo logs {first} -f   hpo stop {first}")


def _print_dry_run(studies: Sequence[Any], script: str, as_json: bool) -> None:
    """Print the job script, and the costs on standard error; without a script, print the studies."""
    from hpo.reporting.dry_run import render_dry_run

    plans = "\n".join(render_dry_run(study) for study in studies)
    if as_json:
        print_json({"plan": plans, "script": script})
        return
    print(script or plans)
    if script:
        print("\n".join(line for line in plans.splitlines() if line.startswith("# ")), file=sys.stderr)


def _earlier_settings(name: str, backend: str) -> GivenOptions:
    """Return the settings of a study's last submission to a backend, none if there was no such submission."""
    from hpo.cluster.base import read_submission
    from hpo.storage.study_folder import StudyFolder

    earlier = read_submission(StudyFolder(name))
    return GivenOptions(earlier.settings if earlier and earlier.backend == backend else {})


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="a submitted study; if not given, all of them")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print where submitted studies run and how far they are.

    Example: hpo status demo-suc-original-cased-asha
    """
    from hpo.reporting.tables import render_table
    from hpo.workflows.submissions import describe, find_submission, submissions

    found = [describe(each) for each in ([find_submission(name)] if name else submissions())]
    if as_json:
        print_json(found[0] if name else found)
    elif not found:
        print("no submitted studies yet; submit one with: hpo submit")
    else:
        header = ("study", "backend", "job", "state", "detail", "trials", "best dev F1")
        print(render_table(header, [_cells(each) for each in found]), end="")


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    best = found["best_dev_f1"]
    # The id of a local job also holds the host and the start time; the process number is enough here.
    job = found["job"].split(":")[1] if found["backend"] == "local" else found["job"]
    trials = f"{found['ended']}/{found['trials']}" if found["trials"] else "-"
    score = "-" if best is None else f"{best:.5f}"
    return (found["study"], found["backend"], job, found["state"], found["detail"] or "-", trials, score)


def logs(
    name: StudyName,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="keep printing until the job ends")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the log of a submitted study.

    Example: hpo logs demo-suc-original-cased-asha -f
    """
    from hpo.cluster.backends import open_backend
    from hpo.workflows.submissions import find_submission

    submission = find_submission(name)
    pieces = open_backend(submission).logs(submission, follow)
    if as_json:
        print_json({"study": name, "job": submission.job, "log": "".join(pieces)})
        return
    for piece in pieces:
        print(piece, end="", flush=True)


def stop(name: StudyName, as_json: AsJson = False) -> None:
    """Stop a submitted study cleanly; hpo resume continues it.

    Example: hpo stop demo-suc-original-cased-asha
    """
    from hpo.workflows.submissions import find_submission
    from hpo.workflows.submissions import stop as stop_job

    submission = find_submission(name)
    state = stop_job(submission)
    if as_json:
        print_json({"study": name, "job": submission.job, "asked": state.is_active, "was": state.value})
    elif state.is_active:
        again = f"hpo resume {name} --backend {submission.backend}"
        print(f"{name}: asked to stop; finished work is kept; resume with: {again}")
    else:
        print(f"{name}: is {state.value}, nothing to stop")
