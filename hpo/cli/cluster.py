"""The commands that give studies to a backend, and those that look after them there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hpo.errors import Issue, UserError

Name = Annotated[str, typer.Argument(metavar="STUDY", help="a study under results/")]
Where = Annotated[str | None, typer.Option("--backend", help="local, slurm or ray")]
Nodes = Annotated[int | None, typer.Option(help="slurm: machines [default: 1]")]
Gpus = Annotated[int | None, typer.Option(help="slurm: GPUs on each machine [default: 0]")]
Cpus = Annotated[int | None, typer.Option(help="slurm: cores on each [default: whole machines]")]
Time = Annotated[str | None, typer.Option(help="slurm: limit of the job, as 06:00:00")]
Partition = Annotated[str | None, typer.Option(help="slurm: partition")]
Profile = Annotated[Path | None, typer.Option(help="slurm: a YAML file with what the site asks for")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
FILES = (".yaml", ".yml")


def register(app: typer.Typer, show_row: Callable[[Any], None]) -> None:
    """Add the commands to the program; ``show_row`` prints the row of a study that was run here."""

    @app.command()
    def resume(
        name: Name,
        backend: Annotated[str | None, typer.Option(help="local, slurm or ray [default: here]")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Go on with a study that was interrupted, where it was; with --backend, there.

        Settings of a backend are those of the study's last submission to it.

        Example: hpo resume demo-suc-original-cased-asha
        """
        from hpo.config.study import stored_study
        from hpo.storage.study_folder import StudyFolder

        study = stored_study(StudyFolder(name))
        if backend is None:
            from hpo.workflows.run import run

            show_row(run(study, Console(stderr=True, highlight=False)))
        else:
            submit_studies([study], backend, None, _earlier_settings(name, backend), as_json=as_json)

    app.command()(submit)
    app.command()(status)
    app.command()(logs)
    app.command()(stop)


def submit(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="a study file, or a study under results/")
    ] = None,
    backend: Annotated[str, typer.Option(help="local, slurm or ray")] = "local",
    nodes: Nodes = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    time: Time = None,
    partition: Partition = None,
    profile: Profile = None,
    address: Annotated[str | None, typer.Option(help="ray: the dashboard, as http://127.0.0.1:8265")] = None,
    alg: Annotated[str | None, typer.Option(help="as hpo run has it, like all below")] = None,
    trials: Annotated[int | None, typer.Option()] = None,
    data: Annotated[str | None, typer.Option()] = None,
    tags: Annotated[str | None, typer.Option()] = None,
    train_on: Annotated[str | None, typer.Option()] = None,
    model: Annotated[str | None, typer.Option()] = None,
    space: Annotated[str | None, typer.Option()] = None,
    sampler: Annotated[str | None, typer.Option()] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    name: Annotated[str | None, typer.Option("--study", help="name under results/")] = None,
    gpus_per_trial: Annotated[float | None, typer.Option()] = None,
    workers: Annotated[int | None, typer.Option()] = None,
    tracker: Annotated[str | None, typer.Option()] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the plan, its cost and the exact script; submit nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have a study run elsewhere: in the background here, under SLURM, or on a Ray cluster.

    A study that stands under results/ already goes on there.

    Example: hpo submit my-study.yaml --backend slurm --nodes 2 --gpus 4 --time 06:00:00 --partition gpu
    """
    from hpo.config.study import build_study, load_study, stored_study
    from hpo.config.trackers import given_trackers
    from hpo.storage.study_folder import StudyFolder
    from hpo.workflows.resolve import with_free_name, with_warm_start

    options: dict[str, Any] = {
        "algorithm": alg, "trials": trials, "data": data, "tags": tags, "train_on": train_on, "model": model,
        "space": space, "sampler": sampler, "seed": seed, "name": name, "workers": workers,
        "gpus_per_trial": gpus_per_trial, "trackers": given_trackers(tracker),
        "fixed": {"epochs": epochs} if epochs else None,
    }  # fmt: skip
    options = {key: value for key, value in options.items() if value is not None}
    settings = {
        "nodes": nodes, "gpus": gpus, "cpus": cpus, "time": time, "partition": partition, "address": address,
    }  # fmt: skip
    if study is None:
        resolved = with_warm_start(build_study(options))
        resolved = resolved if name else with_free_name(resolved)
    elif study.endswith(FILES):
        resolved = with_warm_start(load_study(Path(study), options))
    else:
        if options:
            raise UserError(Issue(f"study {study}", "stands as it is, and takes no", ", ".join(options)))
        resolved = stored_study(StudyFolder(study))
    given = {key: value for key, value in settings.items() if value is not None}
    submit_studies([resolved], backend, profile, given, dry_run=dry_run, as_json=as_json)


def submit_studies(
    studies: Sequence[Any],
    backend: str,
    profile: Path | None,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Submit studies, or with ``dry_run`` print what would be submitted, and tell of it.

    Raises
    ------
    UserError
        if a study, a setting or the backend refuses.
    """
    from hpo.cluster.backends import BACKENDS, read_settings
    from hpo.cluster.slurm.backend import SlurmBackend
    from hpo.cluster.slurm.site_profile import SiteProfile, check_gpus_per_trial
    from hpo.workflows.submissions import submit as submit_all

    settings = read_settings(backend, profile, given)
    if isinstance(settings, SiteProfile):
        check_gpus_per_trial(settings, {study.name: study.gpus_per_trial for study in studies})
    if dry_run:
        from hpo.reporting.dry_run import render_dry_run

        place = BACKENDS[backend].build(settings)
        plans = "\n".join(render_dry_run(study) for study in studies)
        script = place.script([study.name for study in studies]) if isinstance(place, SlurmBackend) else ""
        print(json.dumps({"plan": plans, "script": script}) if as_json else script or plans)
        if script and not as_json:
            print("\n".join(f"# {line}" for line in _bounds(plans)), file=sys.stderr)
        return
    made = submit_all(studies, backend, settings)
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in made], indent=1, ensure_ascii=False))
        return
    for each in made:
        print(f"{each.study}: submitted to {backend} as job {each.job}")
    done = {study.name for study in studies} - {each.study for each in made}
    for name in sorted(done):
        print(f"{name}: is done already, and was not submitted")
    if made:
        print(f"hpo status {made[0].study}   hpo logs {made[0].study} -f   hpo stop {made[0].study}")


def _bounds(plans: str) -> list[str]:
    return [line.removeprefix("# ") for line in plans.splitlines() if line.startswith("# ")]


def _earlier_settings(name: str, backend: str) -> dict[str, Any]:
    from hpo.cluster.base import read_submission
    from hpo.storage.study_folder import StudyFolder

    earlier = read_submission(StudyFolder(name))
    return earlier.settings if earlier and earlier.backend == backend else {}


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="default: all that were submitted")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say where submitted studies run, and how far they are.

    Example: hpo status demo-suc-original-cased-asha
    """
    from hpo.reporting.tables import render_table
    from hpo.workflows.submissions import describe, find_submission, submissions

    found = [describe(each) for each in ([find_submission(name)] if name else submissions())]
    if as_json:
        print(json.dumps(found[0] if name else found, indent=1, ensure_ascii=False))
    elif not found:
        print("nothing was submitted yet; submit a study with: hpo submit")
    else:
        header = ("study", "backend", "job", "state", "detail", "trials", "best dev F1")
        print(render_table(header, [_cells(each) for each in found]), end="")


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    best = found["best_dev_f1"]
    # A process is named by more than its number, which is all that a reader wants of it.
    job = found["job"].split(":")[1] if found["backend"] == "local" else found["job"]
    trials = f"{found['ended']}/{found['trials']}" if found["trials"] else "-"
    score = "-" if best is None else f"{best:.5f}"
    return (found["study"], found["backend"], job, found["state"], found["detail"] or "-", trials, score)


def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on until the job ends")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a submitted study's driver has written.

    Example: hpo logs demo-suc-original-cased-asha -f
    """
    from hpo.cluster.backends import open_backend
    from hpo.workflows.submissions import find_submission

    submission = find_submission(name)
    pieces = open_backend(submission).logs(submission, follow)
    if as_json:
        print(json.dumps({"study": name, "job": submission.job, "log": "".join(pieces)}, ensure_ascii=False))
        return
    for piece in pieces:
        print(piece, end="", flush=True)


def stop(name: Name, as_json: AsJson = False) -> None:
    """Have a submitted study's driver stop cleanly; hpo resume goes on with it.

    Example: hpo stop demo-suc-original-cased-asha
    """
    from hpo.workflows.submissions import find_submission
    from hpo.workflows.submissions import stop as stop_job

    submission = find_submission(name)
    state = stop_job(submission)
    if as_json:
        print(
            json.dumps({"study": name, "job": submission.job, "asked": state.is_active, "was": state.value})
        )
    elif state.is_active:
        again = f"hpo resume {name} --backend {submission.backend}"
        print(f"{name}: asked to stop; what was done is kept; go on with: {again}")
    else:
        print(f"{name}: is {state.value}, there is nothing to stop")
