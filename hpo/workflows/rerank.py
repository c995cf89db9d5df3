"""Retrains the best configurations of a finished study with new seeds and ranks them by their mean score."""

from __future__ import annotations

from rich.console import Console

from hpo.config.algorithms import ALGORITHMS
from hpo.config.search_space import Params
from hpo.config.study import Study, stored_study
from hpo.errors import Issue, StudyInterrupted, UserError
from hpo.reporting.report import write_report
from hpo.reporting.seeds import SeededConfiguration, seeded_configurations
from hpo.reporting.study_record import StudyRecord, read_record
from hpo.search.trial import rank_trials
from hpo.storage.atomic import write_json
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.run import run_in_folder


def plan_rerank(record: StudyRecord, top: int, seeds: int) -> Study:
    """Return the study that retrains the default and the ``top`` best configurations with ``seeds`` seeds.

    It is a grid search over these configurations only. Its seeds are the study's seed and the following
    numbers, which no trial of the search used.

    Raises
    ------
    UserError
        If the study changes hyperparameters during training, or already trained each with several seeds.
    """
    study = record.study
    location = f"study {study.name}"
    if ALGORITHMS[study.algorithm].population_based:
        message = f"{study.algorithm} changes hyperparameters during training, so they cannot be retrained"
        hint = f"retrain the winning schedule with: hpo replay {study.name}"
        raise UserError(Issue(location, message, None, hint))
    if study.seeds > 1:
        message = "every configuration was already trained with several seeds"
        raise UserError(Issue(location, message, study.seeds, f"see their means with: hpo show {study.name}"))
    best: list[Params] = []
    for trial in rank_trials(record.trials):
        if trial.params not in best:
            best.append(trial.params)
    changes = {
        "name": StudyFolder(study.name).rerank_study.name,
        "algorithm": "grid",
        "sampler": Study.model_fields["sampler"].default,
        "space": study.space.model_copy(update={"points_to_evaluate": tuple(best[:top])}),
        "warm_start": (),
        "keep_checkpoints": 1,
        "seeds": seeds,
        "baseline": True,
    }
    planned = study.model_copy(update=changes)
    return Study.model_validate(
        planned.model_copy(update={"trials": len(planned.initial_points)}).model_dump()
    )


def rerank(
    name: str, top: int, seeds: int, console: Console | None = None, *, quiet: bool = False
) -> list[SeededConfiguration]:
    """Retrain the best configurations of a study, score every run, and update its report.

    Writes ``rerank.json``. An interrupted call resumes when it is repeated with the same numbers.

    Raises
    ------
    UserError
        If the study is not finished, cannot be reranked, or was reranked with other numbers.
    StudyFailed
        If no run succeeded.
    StudyInterrupted
        If the user stopped it.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    folder = StudyFolder(name)
    record = read_record(folder)
    if not folder.matrix.exists():
        raise UserError(Issue(f"study {name}", "is not finished", None, f"resume with: hpo resume {name}"))
    planned = plan_rerank(record, top, seeds)
    inner = folder.rerank_study
    _check_same_numbers(name, inner, planned)
    with folder.lock():
        try:
            run_in_folder(inner, planned, console)
        except StudyInterrupted:
            hint = f"finished work is kept; resume with: hpo rerank {name} --top {top} --seeds {seeds}"
            raise StudyInterrupted(Issue(f"reranking of {name}", "interrupted", None, hint)) from None
        found = seeded_configurations(read_record(inner))
        settings = {"study": name, "top": top, "seeds": seeds}
        write_json(folder.rerank_results, settings | {"configurations": [each.to_json() for each in found]})
        write_report(folder)
    return found


def _check_same_numbers(name: str, inner: StudyFolder, planned: Study) -> None:
    if inner.study.exists() and (before := stored_study(inner)).fingerprint != planned.fingerprint:
        message = f"already reranked with {before.trials} configurations and {before.seeds} seeds"
        requested = f"{planned.trials} configurations and {planned.seeds} seeds"
        hint = f"use the same numbers, or remove {inner.path} first"
        raise UserError(Issue(f"study {name}", message, requested, hint))
