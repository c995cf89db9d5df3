"""Turns the best checkpoints of a search into scored model folders and the study's results."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import Study
from hpo.corpora.sentences import Corpus
from hpo.corpora.tag_families import TagFamily
from hpo.errors import Issue, StudyFailed
from hpo.evaluation.matrix import Matrix, MatrixRow
from hpo.evaluation.score_files import write_scores
from hpo.reporting.matrix_tables import COLUMNS
from hpo.search.default_trial import default_trial
from hpo.search.hyperparameter_schedule import params_at_best_epoch, winning_schedule
from hpo.search.top_k import best_per_value
from hpo.search.trial import (
    Trial,
    best_after_counts,
    rank_trials,
    read_trials,
)
from hpo.storage.atomic import link_folder, write_json, write_text
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import dump_yaml

if TYPE_CHECKING:  # it brings transformers, which hpo ls has no use for
    from hpo.encoding.encoded_corpus import EncodedCorpus

    Readings: TypeAlias = Mapping[tuple[int, int], EncodedCorpus]


def export_best(
    study: Study,
    folder: StudyFolder,
    family: TagFamily,
    corpus: Corpus,
    readings: Readings,
    environment: Mapping[str, Any],
) -> MatrixRow:
    """Turn the kept checkpoints into model folders, score them, and write the study's results."""
    from hpo.evaluation.checkpoint_scores import score_with_confusion
    from hpo.reporting.model_card import render_model_card
    from hpo.reporting.report import write_report

    trials = read_trials(read_lines(folder.trials))
    best = rank_trials(trials)[: study.keep_checkpoints]
    if not best:
        raise _nothing_succeeded(study, trials)

    def export(trial: Trial, target: Path) -> MatrixRow:
        data = _reading(study, trial, readings)
        promote(folder.checkpoint(trial.number), target, data.tokenizer)
        scores, confusions = score_with_confusion(target, data, ("dev", "test"), study.train_on)
        row = _row(study, family, corpus, trial, scores)
        write_scores(folder.scores(trial.number), scores)
        plain = {split: each.model_dump(mode="json") for split, each in confusions.items()}
        write_json(target / "confusion.json", plain)
        write_json(target / "scores.json", row.model_dump(mode="json"))
        write_text(target / "README.md", render_model_card(study, family, trial, row, environment, data))
        return row

    rows = [export(trial, folder.best / str(rank)) for rank, trial in enumerate(best, 1)]
    default = default_trial(study, trials)
    if default in rank_trials(trials) and default not in best and folder.checkpoint(default.number).exists():
        export(default, folder.default)
    _score_leaders(study, folder, trials, readings)
    if ALGORITHMS[study.algorithm].population:
        write_text(folder.schedule, dump_yaml(winning_schedule(trials, best[0])))
    write_report(folder)
    write_json(
        folder.matrix, Matrix(rows=(rows[0],)).model_dump(mode="json")
    )  # after all else: it says "done"
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    shutil.rmtree(folder.ray, ignore_errors=True)
    return rows[0]


def _score_leaders(study: Study, folder: StudyFolder, trials: list[Trial], readings: Readings) -> None:
    """Score who led after 10, 27, 50 … trials and who is the best of a hyperparameter's value, where not
    done yet."""
    from hpo.evaluation.checkpoint_scores import score_checkpoint

    place = folder.checkpoints / ".scored"
    leaders = best_after_counts(trials, study.runs).values()
    for trial in (*leaders, *best_per_value(study.space, trials).values()):
        checkpoint = folder.checkpoint(trial.number)
        if checkpoint.exists() and not folder.scores(trial.number).exists():
            data = _reading(study, trial, readings)
            promote(checkpoint, place, data.tokenizer)
            write_scores(folder.scores(trial.number), score_checkpoint(place, data, ("dev", "test")))


def _reading(study: Study, trial: Trial, readings: Readings) -> EncodedCorpus:
    """The corpus as a trial read it."""
    training_config = study.training_config(trial.params)
    return readings[training_config.max_length, training_config.context]


def promote(checkpoint: Path, target: Path, tokenizer: Path) -> None:
    """Make a model folder of a checkpoint, which stays, so that an interrupted promotion can be made again.

    Raises
    ------
    StudyFailed
        if the checkpoint is gone.
    """
    if not link_folder(checkpoint, target):
        rest = "run the study again under another name"
        raise StudyFailed(Issue(str(checkpoint), "is gone, of a trial that is among the best", None, rest))
    shutil.copytree(tokenizer, target, dirs_exist_ok=True)


def _row(
    study: Study, family: TagFamily, corpus: Corpus, trial: Trial, scores: Mapping[str, Mapping[str, Any]]
) -> MatrixRow:
    training_config = study.training_config(params_at_best_epoch(trial)).model_dump()
    shown = {
        name: training_config[name] for name in (*COLUMNS, *study.space.parameters) if name in training_config
    }
    return MatrixRow(
        tag_family=family.title,
        trained_on=study.train_on,
        algorithm=algorithm_title(study),
        scores={split: dict(by_variant) for split, by_variant in scores.items()},
        hyperparameters=shown,
        study=study.name,
        corpus=corpus.name,
        corpus_sha256=corpus.sha256,
        model=study.model,
        seed=study.seed,
    )


def algorithm_title(study: Study) -> str:
    """The algorithm as the result matrix shows it, with its searcher where that is not the default."""
    title = ALGORITHMS[study.algorithm].title
    default = Study.model_fields["sampler"].default
    return title if study.sampler == default else f"{title} ({study.sampler})"


def _nothing_succeeded(study: Study, trials: list[Trial]) -> StudyFailed:
    reasons = list(dict.fromkeys(trial.reason for trial in trials if trial.reason))
    return StudyFailed(
        [
            Issue(f"study {study.name}", f"none of its {len(trials)} trials succeeded", None, "see results/"),
            *(Issue(f"study {study.name}", "a trial ended with", reason) for reason in reasons[:5]),
        ]
    )
