"""Submits studies to backends and queries or stops them, from the files in each study's folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from hpo.cluster.backends import BACKENDS, open_backend
from hpo.cluster.base import JobState, Submission, read_submission, remove_earlier_job, write_submission
from hpo.config.study import Study, stored_study
from hpo.corpora.tag_families import load_family
from hpo.errors import Issue, UserError
from hpo.reporting.study_list import summarize_study
from hpo.storage.atomic import write_text
from hpo.storage.study_folder import StudyFolder, study_folders
from hpo.workflows.prepare import read_corpus
from hpo.workflows.resolve import check_same_study


def submit(studies: Sequence[Study], backend: str, settings: BaseModel) -> list[Submission]:
    """Submit studies to a backend, except those that are finished.

    An interrupted study resumes there, wherever it ran before.

    Raises
    ------
    UserError
        If a study is invalid or running, or the backend rejects it. Nothing runs in that case.
    """
    folders = [StudyFolder(study.name) for study in studies]
    pairs = list(zip(studies, folders, strict=True))
    issues = [issue for study, folder in pairs for issue in _issues(study, folder)]
    if issues:
        raise UserError(issues)
    unfinished = [(study, folder) for study, folder in pairs if not folder.matrix.exists()]
    if not unfinished:
        return []
    new_folders = [folder for _, folder in unfinished if not folder.path.exists()]
    for study, folder in unfinished:
        if not folder.study.exists():
            write_text(folder.study, study.to_yaml())
        folder.cluster.mkdir(parents=True, exist_ok=True)
        remove_earlier_job(folder)
    try:
        jobs = BACKENDS[backend].build(settings).submit([study.name for study, _ in unfinished])
    except UserError:
        for folder in new_folders:
            shutil.rmtree(folder.path)
        raise
    submitted = datetime.now(UTC).isoformat(timespec="seconds")
    made = []
    for (study, folder), (job, log) in zip(unfinished, jobs, strict=True):
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
    """Return what prevents submitting a study; reading its corpus also downloads one from the hub."""
    if folder.matrix.exists():
        return ()
    try:
        check_same_study(study, folder)
        load_family(study.tags)
        read_corpus(study)
        submission = read_submission(folder)
        active = submission is not None and open_backend(submission).status(submission).state.is_active
    except UserError as error:
        return error.issues
    if active or folder.is_locked:
        hint = f"see where with: hpo status {study.name}"
        return (Issue(f"study {study.name}", "is already running", None, hint),)
    return ()


def find_submission(name: str) -> Submission:
    """Return the last submission of a study.

    Raises
    ------
    UserError
        If there is no such study, or it was never submitted.
    """
    folder = StudyFolder(name)
    stored_study(folder)
    submission = read_submission(folder)
    if submission is None:
        hint = f"submit it with: hpo submit {name} --backend BACKEND"
        raise UserError(Issue(f"study {name}", "was never submitted", None, hint))
    return submission


def describe(submission: Submission) -> dict[str, Any]:
    """Return a submission with the state of its job and the progress of its study."""
    status = open_backend(submission).status(submission)
    study = summarize_study(submission.study)
    progress = {key: study.get(key) for key in ("trials", "ended", "epochs", "best_dev_f1", "test_f1")}
    return (
        submission.model_dump(mode="json") | {"state": status.state.value, "detail": status.detail} | progress
    )


def submissions() -> list[Submission]:
    """Return every submission under results/, the oldest study first."""
    return [found for folder in study_folders() if (found := read_submission(folder)) is not None]


def stop(submission: Submission) -> JobState:
    """Ask the driver of a study to stop cleanly, and return the state of its job before."""
    backend = open_backend(submission)
    state = backend.status(submission).state
    if state.is_active:
        backend.stop(submission)
    return state
