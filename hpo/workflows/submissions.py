"""Studies given to backends: submitted, looked at, stopped; all from the files in the study's folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from hpo.cluster.backends import BACKENDS, open_backend
from hpo.cluster.base import (
    JobState,
    Submission,
    forget_earlier_job,
    read_submission,
    write_submission,
)
from hpo.config.study import Study, stored_study
from hpo.corpora.tag_families import load_family
from hpo.errors import Issue, UserError
from hpo.reporting.study_list import summarize_study
from hpo.storage.atomic import write_text
from hpo.storage.study_folder import StudyFolder, study_folders
from hpo.workflows.prepare import read_corpus, refuse_another


def submit(studies: Sequence[Study], backend: str, settings: BaseModel) -> list[Submission]:
    """Give studies to a backend; those that are done already are left out.

    A study that was interrupted goes on there, wherever it ran before.

    Raises
    ------
    UserError
        if a study is refused, is being run, or the backend refuses. Nothing runs then.
    """
    folders = [StudyFolder(study.name) for study in studies]
    pairs = list(zip(studies, folders, strict=True))
    refused = [issue for study, folder in pairs for issue in _issues(study, folder)]
    if refused:
        raise UserError(refused)
    open_studies = [(study, folder) for study, folder in pairs if not folder.matrix.exists()]
    fresh = [folder for _, folder in open_studies if not folder.path.exists()]
    for study, folder in open_studies:
        if not folder.study.exists():
            write_text(folder.study, study.to_yaml())
        folder.cluster.mkdir(parents=True, exist_ok=True)
        forget_earlier_job(folder)
    if not open_studies:
        return []
    try:
        jobs = BACKENDS[backend].build(settings).submit([study.name for study, _ in open_studies])
    except UserError:
        for folder in fresh:
            shutil.rmtree(folder.path)
        raise
    submitted = datetime.now(UTC).isoformat(timespec="seconds")
    made = []
    for (study, folder), (job, log) in zip(open_studies, jobs, strict=True):
        submission = Submission(
            study=study.name,
            backend=backend,
            job=job,
            settings=settings.model_dump(mode="json"),
            log=log,
            submitted=submitted,
        )
        write_submission(folder, submission)
        made.append(submission)
    return made


def _issues(study: Study, folder: StudyFolder) -> Sequence[Issue]:
    """What stands against submitting a study; a corpus from the hub is fetched by asking."""
    if folder.matrix.exists():
        return ()
    try:
        refuse_another(study, folder)
        load_family(study.tags)
        read_corpus(study)
        submission = read_submission(folder)
        live = submission is not None and open_backend(submission).look(submission).state.is_live
    except UserError as error:
        return error.issues
    if live or folder.is_locked:
        return (Issue(f"study {study.name}", "is being run", None, f"hpo status {study.name} says where"),)
    return ()


def find_submission(name: str) -> Submission:
    """The submission of a study.

    Raises
    ------
    UserError
        if there is no such study, or it was never submitted.
    """
    folder = StudyFolder(name)
    stored_study(folder)
    submission = read_submission(folder)
    if submission is None:
        raise UserError(Issue(f"study {name}", "was never submitted", None, f"hpo submit {name} --backend …"))
    return submission


def describe(submission: Submission) -> dict[str, Any]:
    """A submission as its backend sees it now, and how far its study is."""
    look = open_backend(submission).look(submission)
    study = summarize_study(submission.study)
    known = {key: study.get(key) for key in ("trials", "ended", "epochs", "best_dev_f1", "test_f1")}
    return submission.model_dump(mode="json") | {"state": look.state.value, "detail": look.detail} | known


def submissions() -> list[Submission]:
    """Every submission under results/, the oldest study first."""
    return [found for folder in study_folders() if (found := read_submission(folder)) is not None]


def stop(submission: Submission) -> JobState:
    """Ask a study's driver to stop cleanly; the state that it was in."""
    backend = open_backend(submission)
    state = backend.look(submission).state
    if state.is_live:
        backend.stop(submission)
    return state
