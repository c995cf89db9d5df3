"""Runs a study from its corpus to its row of the result matrix, or resumes it where it stopped."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hpo.config.study import Study
from hpo.config.trackers import require_installed
from hpo.config.training_config import TINY
from hpo.errors import Issue, StudyInterrupted
from hpo.evaluation.matrix import MatrixRow, read_matrix
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder
from hpo.tracking.dispatcher import TrackerDispatcher, start_trackers
from hpo.workflows.export import export_results
from hpo.workflows.prepare import PreparedStudy, prepare_study
from hpo.workflows.resolve import check_same_study


def run(study: Study, console: Console | None = None, *, quiet: bool = False) -> MatrixRow:
    """Search, score the best models and return the study's row of the result matrix.

    An interrupted study resumes. A finished study does not run again; its stored row is returned. Progress
    is shown on ``console``, by default standard error, unless ``quiet``.

    Raises
    ------
    UserError
        If the study's folder holds another study, or its corpus, tag family or model is invalid. Nothing
        has been written in that case.
    StudyFailed
        If no trial succeeded.
    StudyInterrupted
        If the user stopped it.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    return run_in_folder(StudyFolder(study.name), study, console)


def run_in_folder(folder: StudyFolder, study: Study, console: Console) -> MatrixRow:
    """Run a study as `run` does, in a folder that may be outside results/."""
    check_same_study(study, folder)
    if folder.matrix.exists():
        console.print(f"{study.name} is already finished; showing its result", markup=False)
        return read_matrix(folder.matrix).rows[0]
    require_installed(study.trackers)
    with console.status("preparing the corpus …"):
        prepared = prepare_study(study, folder)
    with (
        folder.lock(),
        start_trackers(study, folder, lambda line: console.print(line, markup=False)) as trackers,
    ):
        if not folder.study.exists():  # its modification time is the start of the study
            write_text(folder.study, study.to_yaml())
        write_json(folder.environment, prepared.environment)
        _search(prepared, console, trackers)
        with console.status("scoring the best models …"):
            row = export_results(prepared)
        trackers.on_scores(row)
        return row


def _search(prepared: PreparedStudy, console: Console, trackers: TrackerDispatcher) -> None:
    from hpo.models.build import state_bytes
    from hpo.reporting.progress import show_progress
    from hpo.search.checkpoint_store import use_memory_scratch
    from hpo.search.controller import TrialController
    from hpo.search.ray.driver import run_search
    from hpo.search.schedulers import build_scheduler
    from hpo.search.worker import TrialRunner

    study, resources = prepared.study, prepared.resources
    # Ray's workers have their own working directory, so every path must be absolute.
    folder = StudyFolder(study.name, prepared.folder.path.parent.resolve())
    if not prepared.on_cluster:  # on a cluster a trial may resume on another machine, from the shared disk
        snapshots = build_scheduler(study).checkpoint_slots(resources.workers)
        folder = use_memory_scratch(folder, snapshots * state_bytes(study.model))
    controller = TrialController(study, folder)
    trackers.report_existing(controller.trials)
    controller.add_listener(trackers.on_trial_update)
    local = study.model != TINY and Path(study.model).is_dir()
    model = str(Path(study.model).resolve()) if local else study.model
    folders = {key: data.folder for key, data in prepared.encodings.items()}
    trial_run = TrialRunner(
        study,
        folder,
        model,
        folders,
        gpus=resources.gpus,
        processes=resources.processes,
    )
    try:
        if not controller.finished:
            with show_progress(controller, console):
                run_search(controller, trial_run, resources)
    finally:
        controller.close()
    if not controller.finished:
        hint = f"finished work is kept; resume with: hpo resume {study.name}"
        raise StudyInterrupted(Issue(f"study {study.name}", "interrupted", None, hint))
