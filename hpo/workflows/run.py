"""A study from its corpus to its row of the result matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console

from hpo.config.study import Study
from hpo.config.trackers import refuse_absent
from hpo.config.training_config import TINY
from hpo.environment import describe_environment
from hpo.errors import Issue, StudyInterrupted
from hpo.evaluation.matrix import MatrixRow, read_matrix
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder
from hpo.tracking.dispatcher import TrackerDispatcher, start_trackers
from hpo.workflows.export import export_best
from hpo.workflows.prepare import encode_each, plan_search, read_corpus, refuse_another

if TYPE_CHECKING:  # it brings transformers, which hpo ls has no use for
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.search.ray.driver import Resources

    Readings: TypeAlias = Mapping[tuple[int, int], EncodedCorpus]


def run(study: Study, console: Console | None = None, *, quiet: bool = False) -> MatrixRow:
    """Run a study to its end, from its start or from where it was left, and score its best models.

    A study that is done already is not run again; its row is read. Progress is shown on the console, by
    default standard error, unless ``quiet``.

    Raises
    ------
    UserError
        if the study's folder holds another study, or its corpus, family or model is refused. Nothing
        has been written then.
    StudyFailed
        if no trial succeeded.
    StudyInterrupted
        if the user stopped it.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    return run_in(StudyFolder(study.name), study, console)


def run_in(folder: StudyFolder, study: Study, console: Console) -> MatrixRow:
    """As `run`, in a folder that need not lie under results/ itself."""
    refuse_another(study, folder)
    if folder.matrix.exists():
        console.print(f"{study.name} is done already, and was not run again", markup=False)
        return read_matrix(folder.matrix).rows[0]
    refuse_absent(study.trackers)
    # Brings transformers, for which a study that is done has no use.
    from hpo.encoding.corpus_encoder import adjacent_entity_notes, long_sentence_notes

    resources, clustered = plan_search(study)
    with console.status("preparing the corpus …"):
        corpus, family = read_corpus(study)
        readings = encode_each(study, corpus, family)
        schemes = study.space.possible(study.space.fixed | study.fixed)["label_scheme"]
        joined = adjacent_entity_notes(next(iter(readings.values())), schemes)
        corpus = replace(corpus, notes=(*corpus.notes, *long_sentence_notes(readings), *joined))
    with (
        folder.lock(),
        start_trackers(study, folder, lambda line: console.print(line, markup=False)) as trackers,
    ):
        environment = describe_environment() | {"corpus_sha256": corpus.sha256, "notes": corpus.notes}
        if not folder.study.exists():  # its time is when the study was started
            write_text(folder.study, study.to_yaml())
        write_json(folder.environment, environment)
        _search(study, folder, readings, resources, clustered, console, trackers)
        with console.status("scoring the best models …"):
            row = export_best(study, folder, family, corpus, readings, environment)
        trackers.on_scores(row)
        return row


def _search(
    study: Study,
    folder: StudyFolder,
    readings: Readings,
    resources: Resources,
    clustered: bool,
    console: Console,
    trackers: TrackerDispatcher,
) -> None:
    from hpo.models.build import state_bytes
    from hpo.reporting.progress import show_progress
    from hpo.search.checkpoint_store import max_live_snapshots, use_memory_scratch
    from hpo.search.controller import TrialController
    from hpo.search.ray.driver import run_search
    from hpo.search.worker import TrialRunner

    # Workers run in a folder of Ray's, so whatever is a path here must be absolute there.
    absolute = StudyFolder(study.name, folder.path.parent.resolve())
    if not clustered:  # else a trial may go on on another machine, so its state is on shared disk
        absolute = use_memory_scratch(
            absolute, max_live_snapshots(study, resources.workers) * state_bytes(study.model)
        )
    controller = TrialController(study, absolute)
    trackers.report_existing(controller.trials)
    controller.add_listener(trackers.on_trial_update)
    local = study.model != TINY and Path(study.model).is_dir()
    model = str(Path(study.model).resolve()) if local else study.model
    folders = {reading: data.folder for reading, data in readings.items()}
    trial_run = TrialRunner(
        study,
        absolute,
        next(iter(folders.values())),
        model,
        folders,
        gpus=resources.gpus,
        processes=resources.processes,
    )
    try:
        if not controller.finished:
            with show_progress(controller, resources.workers, console):
                run_search(controller, trial_run, resources)
    finally:
        controller.close()
    if not controller.finished:
        rest = f"what was done is kept; go on with: hpo resume {study.name}"
        raise StudyInterrupted(Issue(f"study {study.name}", "was interrupted", None, rest))
