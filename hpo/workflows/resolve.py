"""Resolves what a study refers to before it runs: earlier studies, its name, a folder that already exists."""

from __future__ import annotations

from hpo.config.study import Study, stored_study
from hpo.errors import Issue, UserError
from hpo.search.initial_points import warm_start_space
from hpo.search.trial import read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder


def with_warm_start(study: Study) -> Study:
    """Return the study with the best configurations of its ``warm_start`` studies as points to evaluate.

    Raises
    ------
    UserError
        If one of these studies is not under results/.
    """
    folders = [StudyFolder(name) for name in study.warm_start]
    for folder in folders:
        stored_study(folder)
    earlier = [read_trials(read_lines(folder.trials)) for folder in folders]
    return study.model_copy(update={"space": warm_start_space(study.space, earlier)}) if earlier else study


def with_free_name(study: Study) -> Study:
    """Return the study under its own name, or with a number appended if another study has that name."""
    number = 1
    named = study
    while True:
        folder = StudyFolder(named.name)
        if not folder.study.exists() or stored_study(folder).fingerprint == study.fingerprint:
            return named
        number += 1
        named = study.model_copy(update={"name": f"{study.name}-{number}"})


def check_same_study(study: Study, folder: StudyFolder) -> None:
    """Reject a study whose folder holds a study with other settings.

    Raises
    ------
    UserError
        If the two differ; the error lists every such field.
    """
    if not folder.study.exists():
        return
    stored, requested = stored_study(folder).fingerprint, study.fingerprint
    issues = [
        Issue(
            f"study {study.name}",
            f"results/{study.name} was created with {field}={stored[field]!r}",
            requested[field],
            "give the study another name, or use the same settings to resume it",
        )
        for field in requested
        if stored[field] != requested[field]
    ]
    if issues:
        raise UserError(issues)
