"""Summaries, descriptions and matrix rows of the studies under results/, running ones included."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpo.config.study import stored_study
from hpo.errors import Issue, UserError
from hpo.evaluation.matrix import MatrixRow, read_matrix
from hpo.reporting.group_by import group_trials, render_groups
from hpo.reporting.importance import hyperparameter_importance
from hpo.reporting.milestones import milestones
from hpo.reporting.report import render_sections, render_trials
from hpo.reporting.seeds import seeded_configurations
from hpo.reporting.study_record import StudyRecord, read_record
from hpo.reporting.tables import MISSING, format_f1, render_table
from hpo.search.default_trial import default_trial
from hpo.search.trial import State, rank_trials
from hpo.storage.study_folder import NO_SUCH_STUDY, StudyFolder, study_folders


def summarize_studies() -> list[dict[str, Any]]:
    """Return a summary of each study, oldest first; an invalid study is summarized by its issues."""
    return [_summary_or_issues(folder) for folder in study_folders()]


def summarize_study(name: str) -> dict[str, Any]:
    """Return the summary of one study, as in `summarize_studies`."""
    return _summary_or_issues(StudyFolder(name))


def _summary_or_issues(folder: StudyFolder) -> dict[str, Any]:
    try:
        return _summary(read_record(folder), folder)
    except UserError as error:
        issues = [str(issue) for issue in error.issues]
    except OSError as error:
        issues = [f"{error.filename or folder.path}: cannot be read: {error.strerror}"]
    return {"study": folder.name, "state": "invalid", "issues": issues}


def _summary(record: StudyRecord, folder: StudyFolder) -> dict[str, Any]:
    study, trials = record.study, record.trials
    states = Counter(trial.state.value for trial in trials)
    best = next((trial.best for trial in rank_trials(trials)), None)
    default = default_trial(study, trials)
    row = read_matrix(folder.matrix).rows[0] if folder.matrix.exists() else None
    return {
        "study": study.name,
        "state": "done" if row else "running" if folder.is_locked else "open",
        "started": datetime.fromtimestamp(folder.study.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        "data": study.data,
        "tags": study.tags,
        "train_on": study.train_on,
        "algorithm": study.algorithm,
        "model": study.model,
        "seed": study.seed,
        "seeds": study.seeds,
        "objective": study.objective,
        "trials": study.runs,
        "ended": len(trials) - states[State.RUNNING.value],
        "trials_by_state": dict(states),
        "epochs": sum(trial.epochs for trial in trials),
        "trained_s": sum(trial.measurements[-1].seconds for trial in trials if trial.measurements),
        "best_dev_f1": best.f1 if best else None,
        "test_f1": row.f1("test", study.train_on) if row else None,
        "default_dev_f1": default.best.f1 if default and default.best else None,
        "default_test_f1": record.test_f1(default) if default else None,
        "reranked": record.reranked is not None,
    }


def render_study_table(studies: Sequence[dict[str, Any]]) -> str:
    """Return the summaries as a table, or how to create the first study."""
    if not studies:
        return "no studies under results/; create one with: hpo run\n"
    headings = ("study", "state", "model", "corpus", "trials", "time", *_SCORES, "started")
    return render_table(headings, [_table_row(each) for each in studies])


_SCORES = {
    "dev F1": "best_dev_f1",
    "test F1": "test_f1",
    "default dev": "default_dev_f1",
    "default test": "default_test_f1",
}


def _table_row(study: Mapping[str, Any]) -> tuple[str, ...]:
    if "issues" in study:
        empty = (MISSING,) * (4 + len(_SCORES))
        return (study["study"], study["state"], *empty, study["issues"][0])
    return (
        study["study"],
        study["state"],
        Path(study["model"]).name,
        Path(study["data"]).name,
        f"{study['ended']}/{study['trials']}",
        str(timedelta(seconds=round(study["trained_s"]))),
        *(format_f1(study[field]) for field in _SCORES.values()),
        study["started"][:16].replace("T", " "),
    )


def describe_study(name: str) -> dict[str, Any]:
    """Return everything known about a study: summary, settings, environment, scores, analyses and trials.

    Raises
    ------
    UserError
        If there is no such study.
    """
    folder = StudyFolder(name)
    record = read_record(folder)
    scored = {str(number): _plain(scores) for number, scores in sorted(record.scores.items())}
    return {
        "summary": _summary(record, folder),
        "settings": record.study.model_dump(mode="json"),
        "environment": record.environment,
        "row": read_matrix(folder.matrix).rows[0].model_dump(mode="json") if folder.matrix.exists() else None,
        "scores": scored,
        "confusion": {split: each.model_dump(mode="json") for split, each in record.confusions.items()},
        "best_after": [asdict(milestone) for milestone in milestones(record)],
        "repeats": [each.to_json() for each in seeded_configurations(record)],
        "reranked": [each.to_json() for each in seeded_configurations(record.reranked)]
        if record.reranked
        else None,
        "importance": hyperparameter_importance(record.study.space, record.trials),
        "trials": [trial.to_json() for trial in record.trials],
    }


def _plain(scores: Any) -> Any:
    return TypeAdapter(dict[str, Any]).dump_python(dict(scores), mode="json")


def describe_groups(name: str, hyperparameter: str) -> list[dict[str, Any]]:
    """Return the trials of a study grouped by a searched hyperparameter, as JSON-compatible values.

    Raises
    ------
    UserError
        If there is no such study, or it does not search the hyperparameter.
    """
    return [asdict(group) for group in group_trials(read_record(StudyFolder(name)), hyperparameter)]


def render_study(name: str, hyperparameter: str | None = None) -> str:
    """Return the report of a finished study, with the paths of its figures, or an interim report.

    With ``hyperparameter``, return a table of the trials grouped by its values instead.

    Raises
    ------
    UserError
        If there is no such study, it is invalid, or it does not search the hyperparameter.
    """
    folder = StudyFolder(name)
    if hyperparameter is not None:
        return render_groups(read_record(folder), hyperparameter)
    stored_study(folder)
    done = folder.matrix.exists()
    if done and folder.report.exists():
        report = folder.report.read_text(encoding="utf-8")
        return re.sub(r"!\[(.*?)\]\((.*?)\)", rf"\1: {folder.path}/\2", report)
    record = read_record(folder)
    summary = render_study_table([_summary(record, folder)])
    status = f"{folder.report.name} is missing" if done else f"not finished; continue with: hpo resume {name}"
    return "\n".join([summary, *render_sections(record), render_trials(record.trials), status])


def collect_rows(names: Sequence[str]) -> list[MatrixRow]:
    """Return the matrix rows of the named studies, or of all finished ones.

    Without names, only the newest of several studies of the same corpus, family, variant, algorithm and
    model counts, and invalid rows are skipped.

    Raises
    ------
    UserError
        If a named study is missing, unfinished or invalid, or no study is finished.
    """
    if names:
        folders = [StudyFolder(name) for name in names]
        issues = [
            Issue(
                f"study {folder.name}",
                "is not finished" if folder.study.exists() else NO_SUCH_STUDY,
            )
            for folder in folders
            if not folder.matrix.exists()
        ]
        if issues:
            raise UserError(issues)
        return [read_matrix(folder.matrix).rows[0] for folder in folders]
    rows = [row for folder in study_folders() if folder.matrix.exists() for row in _row_if_valid(folder)]
    if not rows:
        raise UserError(Issue("results/", "no finished study", None, "create one with: hpo run"))
    newest = {
        (row.corpus_sha256, row.tag_family, row.trained_on, row.algorithm, row.model): row for row in rows
    }
    return list(newest.values())


def _row_if_valid(folder: StudyFolder) -> list[MatrixRow]:
    try:
        return [read_matrix(folder.matrix).rows[0]]
    except UserError:
        return []
