"""Turns the best checkpoints of a search into scored model folders, the report and the result matrix."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import Study
from hpo.errors import Issue, StudyFailed
from hpo.evaluation.matrix import Matrix, MatrixRow
from hpo.evaluation.score_files import write_scores
from hpo.reporting.matrix_tables import COLUMNS
from hpo.search.default_trial import default_trial
from hpo.search.hyperparameter_schedule import params_at_best_epoch, winning_schedule
from hpo.search.top_k import best_per_value
from hpo.search.trial import Trial, best_after_counts, rank_trials, read_trials
from hpo.storage.atomic import link_folder, write_json, write_text
from hpo.storage.journal import read_lines
from hpo.storage.yaml_files import dump_yaml

if TYPE_CHECKING:
    from hpo.workflows.prepare import PreparedStudy

SCORED_SPLITS = ("dev", "test")


def export_results(prepared: PreparedStudy) -> MatrixRow:
    """Export and score the best models, write the report, and mark the study as finished.

    Returns the row of the best model. The exports start from checkpoints that stay until the end, so that
    an interrupted call can be repeated.

    Raises
    ------
    StudyFailed
        If no trial succeeded, the checkpoint of a best trial is missing, or seqeval computes another F1.
    """
    from hpo.reporting.report import write_report

    study, folder = prepared.study, prepared.folder
    trials = read_trials(read_lines(folder.trials))
    best = rank_trials(trials)[: study.keep_checkpoints]
    if not best:
        raise _no_successful_trial(study, trials)
    rows = [_export_trial(prepared, trial, folder.best / str(rank)) for rank, trial in enumerate(best, 1)]
    default = default_trial(study, trials)
    if default in rank_trials(trials) and default not in best and folder.checkpoint(default.number).exists():
        _export_trial(prepared, default, folder.default)
    _score_milestones(prepared, trials)
    if ALGORITHMS[study.algorithm].population_based:
        write_text(folder.schedule, dump_yaml(winning_schedule(trials, best[0])))
    write_report(folder)
    # The matrix marks the study as finished, so it is written after everything else.
    write_json(folder.matrix, Matrix(rows=(rows[0],)).model_dump(mode="json"))
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    shutil.rmtree(folder.ray, ignore_errors=True)
    return rows[0]


def _export_trial(prepared: PreparedStudy, trial: Trial, target: Path) -> MatrixRow:
    """Make a model folder of a trial's checkpoint, with scores, confusion matrices and a model card."""
    from hpo.evaluation.checkpoint_scores import score_with_confusion
    from hpo.evaluation.seqeval_check import confirm_with_seqeval
    from hpo.reporting.model_card import ExportedModel, render_model_card

    study, folder, data = prepared.study, prepared.folder, prepared.encoding_for(trial.params)
    export_checkpoint(folder.checkpoint(trial.number), target, data.tokenizer)
    results = score_with_confusion(target, data, SCORED_SPLITS, study.train_on)
    scores = {split: result.scores for split, result in results.items()}
    row = _row(prepared, trial, scores)
    write_scores(folder.scores(trial.number), scores)
    check = None
    if target == folder.best / "1":
        labels = {split: result.labels for split, result in results.items()}
        check = confirm_with_seqeval(labels, study.train_on, f"study {study.name}")
        write_json(target / "seqeval.json", check.model_dump(mode="json"))
    tables = {split: result.confusion.model_dump(mode="json") for split, result in results.items()}
    write_json(target / "confusion.json", tables)
    write_json(target / "scores.json", row.model_dump(mode="json"))
    model = ExportedModel(trial, row, data, check)
    write_text(target / "README.md", render_model_card(study, prepared.family, model, prepared.environment))
    return row


def _score_milestones(prepared: PreparedStudy, trials: Sequence[Trial]) -> None:
    """Score the best trial after 10, 27, 50 … trials and of each value of a choice, unless already scored."""
    from hpo.evaluation.checkpoint_scores import score_checkpoint

    study, folder = prepared.study, prepared.folder
    target = folder.checkpoints / ".scored"
    milestones = best_after_counts(trials, study.runs).values()
    for trial in (*milestones, *best_per_value(study.space, trials).values()):
        checkpoint = folder.checkpoint(trial.number)
        if checkpoint.exists() and not folder.scores(trial.number).exists():
            data = prepared.encoding_for(trial.params)
            export_checkpoint(checkpoint, target, data.tokenizer)
            write_scores(folder.scores(trial.number), score_checkpoint(target, data, SCORED_SPLITS))


def export_checkpoint(checkpoint: Path, target: Path, tokenizer: Path) -> None:
    """Make a model folder of a checkpoint and the files of a tokenizer; the checkpoint stays.

    Raises
    ------
    StudyFailed
        If the checkpoint is missing.
    """
    if not link_folder(checkpoint, target):
        hint = "run the study again under another name"
        raise StudyFailed(Issue(str(checkpoint), "the checkpoint of a best trial is missing", None, hint))
    shutil.copytree(tokenizer, target, dirs_exist_ok=True)


def _row(prepared: PreparedStudy, trial: Trial, scores: Mapping[str, Mapping[str, Any]]) -> MatrixRow:
    study = prepared.study
    values = study.training_config(params_at_best_epoch(trial)).model_dump()
    shown = {name: values[name] for name in (*COLUMNS, *study.space.parameters) if name in values}
    return MatrixRow(
        tag_family=prepared.family.title,
        trained_on=study.train_on,
        algorithm=algorithm_title(study),
        scores={split: dict(by_variant) for split, by_variant in scores.items()},
        hyperparameters=shown,
        study=study.name,
        corpus=prepared.corpus.name,
        corpus_sha256=prepared.corpus.sha256,
        model=study.model,
        seed=study.seed,
    )


def algorithm_title(study: Study) -> str:
    """Return the algorithm as the result matrix shows it, with its sampler unless that is the default."""
    title = ALGORITHMS[study.algorithm].title
    default = Study.model_fields["sampler"].default
    return title if study.sampler == default else f"{title} ({study.sampler})"


def _no_successful_trial(study: Study, trials: Sequence[Trial]) -> StudyFailed:
    reasons = list(dict.fromkeys(trial.reason for trial in trials if trial.reason))
    location = f"study {study.name}"
    return StudyFailed(
        [
            Issue(location, f"none of its {len(trials)} trials succeeded", None, f"hpo show {study.name}"),
            *(Issue(location, f"a trial failed with {reason}") for reason in reasons[:5]),
        ]
    )
