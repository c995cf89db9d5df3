"""Everything that a study's folder contains, read once for its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hpo.config.study import Study, stored_study
from hpo.errors import Issue, UserError
from hpo.evaluation.confusion import Confusion, read_confusions
from hpo.evaluation.matrix import MatrixRow
from hpo.evaluation.score_files import ScoresBySplit, read_all_scores
from hpo.evaluation.seqeval_check import SeqevalCheck, read_seqeval_check
from hpo.search.trial import Trial, read_trials
from hpo.storage.atomic import read_json
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import YamlFile, validate


@dataclass(frozen=True)
class StudyRecord:
    """A study with its trials and all scores so far.

    ``row`` is that of the best model, None until it is scored; ``scores`` are by trial number,
    ``confusions`` of the best model by split; ``reranked`` is the study that retrains the best
    configurations; ``seqeval`` is None in folders of earlier versions.
    """

    study: Study
    trials: list[Trial]
    row: MatrixRow | None
    scores: dict[int, ScoresBySplit]
    confusions: dict[str, Confusion]
    environment: dict[str, Any] | None
    reranked: StudyRecord | None = None
    seqeval: SeqevalCheck | None = None

    def test_f1(self, trial: Trial) -> float | None:
        """Return the test F1, in [0, 1], of a trial's best model on the variant trained on, if scored."""
        scores = self.scores.get(trial.number, {}).get("test", {}).get(self.study.train_on)
        return scores.f1 if scores else None


def read_record(folder: StudyFolder) -> StudyRecord:
    """Read the record of a study.

    Raises
    ------
    UserError
        If there is no such study, or one of its files is invalid.
    """
    best = folder.best / "1"
    reranked = folder.rerank_study
    return StudyRecord(
        study=stored_study(folder),
        trials=stored_trials(folder),
        row=_row(folder),
        scores=read_all_scores(folder.scores(0).parent),
        confusions=read_confusions(best / "confusion.json"),
        environment=read_json(folder.environment) if folder.environment.exists() else None,
        reranked=read_record(reranked) if reranked.matrix.exists() else None,
        seqeval=read_seqeval_check(best / "seqeval.json"),
    )


def _row(folder: StudyFolder) -> MatrixRow | None:
    path = folder.best / "1" / "scores.json"
    return validate(MatrixRow, YamlFile(path, read_json(path), {})) if path.exists() else None


def stored_trials(folder: StudyFolder) -> list[Trial]:
    """Read the trials of a study's journal.

    Raises
    ------
    UserError
        If a line is not a valid trial record.
    """
    number = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal number
        for number, line in enumerate(read_lines(folder.trials), 1):  # noqa: B007 - used in the error below
            yield line

    try:
        return read_trials(lines())
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(Issue(f"{folder.trials}:{number}", "is not a trial record", reason)) from None
