"""The commands that run one study on this machine: run and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.cli.console import AsJson, DryRun, StudyFile, StudyName, console, print_scores
from hpo.cli.options import GivenOptions, accepts, study_options


@accepts("options", study_options())
def run(file: StudyFile = None, dry_run: DryRun = False, *, options: GivenOptions) -> None:
    """Search, score the best models, print the result matrix.

    Rerunning with the same settings resumes an interrupted study and prints the result of a finished one.

    Example: hpo run --alg asha --trials 50 --data my-corpus/ --tags conll
    """
    from hpo.workflows.run import run as run_study

    study = resolve_study(file, options)
    if dry_run:
        from hpo.reporting.dry_run import render_dry_run

        print(render_dry_run(study))
    else:
        print_row(run_study(study, console()))


def resolve_study(file: Path | None, options: GivenOptions) -> Any:
    """Return the study of a file and of options; without a file and a name, it gets a free name."""
    from hpo.config.study import build_study, load_study
    from hpo.workflows.resolve import with_free_name, with_warm_start

    if file:
        return with_warm_start(load_study(file, options.fields, options.names))
    study = with_warm_start(build_study(options.fields, options.names))
    return study if "name" in options.fields else with_free_name(study)


def print_row(row: Any) -> None:
    """Print the row of the result matrix of a finished study, and where its best model is."""
    from hpo.reporting.report import render_matrices
    from hpo.storage.study_folder import StudyFolder

    print(render_matrices([row]))
    folder = StudyFolder(row.study)
    print(f"Best model: {folder.best / '1'}   Report: {folder.report}")


def replay(name: StudyName, as_json: AsJson = False) -> None:
    """Train the study's model once more from its initial weights, with the schedule that PBT or PB2 found.

    Example: hpo replay demo-suc-original-cased-pbt
    """
    from hpo.workflows.replay import replay as replay_study

    folder, scores = replay_study(name, console().print)
    print_scores(scores, as_json)
    if not as_json:
        print(f"Model: {folder}")
