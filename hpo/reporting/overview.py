"""Studies as they lie under results/, running ones included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hpo.errors import Fault, UserError
from hpo.evaluation.matrix import MatrixRow, read_matrix
from hpo.reporting.markdown import render_table
from hpo.reporting.studies import render_trials
from hpo.results import StudyFolder, read_json, read_lines, study_folders
from hpo.search.trials import State, Trial, leading, read_trials
from hpo.study import Study, stored_study


def overview() -> list[dict[str, Any]]:
    """A summary of each study, oldest first; of one whose file has faults, these."""
    return [_summary_or_faults(folder) for folder in study_folders()]


def summarize(name: str) -> dict[str, Any]:
    """As `overview`, of one study."""
    return _summary_or_faults(StudyFolder(name))


def _summary_or_faults(folder: StudyFolder) -> dict[str, Any]:
    try:
        return _summary(stored_study(folder), folder, _trials(folder))
    except UserError as error:
        faults = [str(fault) for fault in error.faults]
    except OSError as error:
        faults = [f"{error.filename or folder.path}: cannot be read: {error.strerror}"]
    return {"study": folder.name, "state": "faulty", "faults": faults}


def _trials(folder: StudyFolder) -> list[Trial]:
    """The trials of a study's journal.

    Raises
    ------
    UserError
        if a line of it is none of a trial's.
    """
    last = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal last
        for last, line in enumerate(read_lines(folder.trials), 1):  # noqa: B007 - told if the line is refused
            yield line

    try:
        return read_trials(lines())
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(Fault(f"{folder.trials}:{last}", "is no line of a trial", reason)) from None


def _summary(study: Study, folder: StudyFolder, trials: Sequence[Trial]) -> dict[str, Any]:
    states = Counter(trial.state.value for trial in trials)
    best = next((trial.best for trial in leading(trials)), None)
    row = read_matrix(folder.matrix).rows[0] if folder.matrix.exists() else None
    return {
        "study": study.name,
        "state": "done" if row else "running" if folder.is_held else "open",
        "started": datetime.fromtimestamp(folder.study.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        "data": study.data,
        "tags": study.tags,
        "train_on": study.train_on,
        "algorithm": study.algorithm,
        "model": study.model,
        "trials": study.trials,
        "ended": len(trials) - states[State.RUNNING.value],
        "trials_by_state": dict(states),
        "epochs": sum(trial.epochs for trial in trials),
        "best_dev_f1": best.f1 if best else None,
        "test_f1": row.f1("test", study.train_on) if row else None,
    }


def render_overview(studies: Sequence[dict[str, Any]]) -> str:
    """The summaries as a table, or a word on how to make the first study."""
    if not studies:
        return "no studies under results/ yet; make one with: hpo run\n"
    return render_table(
        ("study", "state", "trials", "epochs", "best dev F1", "test F1", "started"),
        [_overview_line(each) for each in studies],
    )


def _overview_line(study: Mapping[str, Any]) -> tuple[str, ...]:
    if "faults" in study:
        return (study["study"], study["state"], "-", "-", "-", "-", study["faults"][0])
    return (
        study["study"],
        study["state"],
        f"{study['ended']}/{study['trials']}",
        f"{study['epochs']:.1f}",
        _score(study["best_dev_f1"]),
        _score(study["test_f1"]),
        study["started"],
    )


def _score(f1: float | None) -> str:
    return "-" if f1 is None else f"{f1:.5f}"


def describe_study(name: str) -> dict[str, Any]:
    """A study whole: its summary, settings, environment, row of the matrix and trials.

    Raises
    ------
    UserError
        if there is no such study.
    """
    folder = StudyFolder(name)
    study = stored_study(folder)
    trials = _trials(folder)
    return {
        "summary": _summary(study, folder, trials),
        "settings": study.model_dump(mode="json"),
        "environment": read_json(folder.environment) if folder.environment.exists() else None,
        "row": read_matrix(folder.matrix).rows[0].model_dump(mode="json") if folder.matrix.exists() else None,
        "trials": [trial.to_json() for trial in trials],
    }


def render_study(name: str) -> str:
    """The report of a study that is done, or the trials so far of one that is not.

    Raises
    ------
    UserError
        if there is no such study, or it has faults.
    """
    folder = StudyFolder(name)
    study = stored_study(folder)
    done = folder.matrix.exists()
    if done and folder.report.exists():
        return folder.report.read_text(encoding="utf-8")
    trials = _trials(folder)
    summary = render_overview([_summary(study, folder, trials)])
    rest = f"its {folder.report.name} is gone" if done else f"not done yet; go on with: hpo resume {name}"
    return f"{summary}\n{render_trials(trials)}\n{rest}"


def collect_rows(names: Sequence[str]) -> list[MatrixRow]:
    """The matrix rows of some studies, or of all that are done.

    Of several studies of the same corpus, family, variant, algorithm and model, the newest one counts,
    unless they were named. A study whose row has faults is passed over, unless it was named.

    Raises
    ------
    UserError
        if a named study is missing, not done or faulty, or none is done at all.
    """
    if names:
        folders = [StudyFolder(name) for name in names]
        faults = [
            Fault(f"study {folder.name}", "is not done" if folder.study.exists() else "is not under results/")
            for folder in folders
            if not folder.matrix.exists()
        ]
        if faults:
            raise UserError(faults)
        return [read_matrix(folder.matrix).rows[0] for folder in folders]
    rows = [row for folder in study_folders() if folder.matrix.exists() for row in _row_if_whole(folder)]
    if not rows:
        raise UserError(Fault("results/", "holds no study that is done", None, "make one with: hpo run"))
    newest = {
        (row.corpus_sha256, row.tag_family, row.trained_on, row.algorithm, row.model): row for row in rows
    }
    return list(newest.values())


def _row_if_whole(folder: StudyFolder) -> list[MatrixRow]:
    try:
        return [read_matrix(folder.matrix).rows[0]]
    except UserError:
        return []
