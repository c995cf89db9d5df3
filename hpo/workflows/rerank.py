"""The best configurations of a finished search, trained again under fresh seeds and ranked by their means."""

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
from hpo.workflows.run import run_in


def plan_rerank(record: StudyRecord, top: int, seeds: int) -> Study:
    """The study that trains the default configuration and the ``top`` best again, ``seeds`` times each.

    It is a grid of these configurations alone, tried as its points to evaluate. The seeds are the study's
    own,
    and those after it; a search gives its trials others.

    Raises
    ------
    UserError
        if the study changes its hyperparameters on the way, or has repeated its configurations already.
    """
    study = record.study
    if ALGORITHMS[study.algorithm].population:
        hint = f"hpo replay {study.name} trains the schedule that won"
        rule = f"is of {study.algorithm}, whose configurations change on the way"
        raise UserError(Issue(f"study {study.name}", rule, None, hint))
    if study.seeds > 1:
        hint = f"hpo show {study.name} has their means"
        rule = "has trained every configuration under several seeds already"
        raise UserError(Issue(f"study {study.name}", rule, study.seeds, hint))
    best: list[Params] = []
    for trial in rank_trials(record.trials):
        if trial.params not in best:
            best.append(trial.params)
    space = study.space.model_copy(update={"points_to_evaluate": tuple(best[:top])})
    changes = {
        "name": StudyFolder(study.name).rerank_study.name,
        "algorithm": "grid",
        "sampler": Study.model_fields["sampler"].default,
        "space": space,
        "warm_start": (),
        "keep_checkpoints": 1,
        "seeds": seeds,
        "baseline": True,
    }
    planned = study.model_copy(update=changes)
    return Study.model_validate(planned.model_copy(update={"trials": len(planned.guesses)}).model_dump())


def rerank(
    name: str, top: int, seeds: int, console: Console | None = None, *, quiet: bool = False
) -> list[SeededConfiguration]:
    """Train the best of a study again, score every run, and write ``rerank.json`` and the report anew.

    Interrupted or killed, it goes on where it was when it is asked for again.

    Raises
    ------
    UserError
        if the study is not done or cannot be reranked, or was reranked with other numbers.
    StudyFailed
        if no run succeeded.
    StudyInterrupted
        if the user stopped it.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    folder = StudyFolder(name)
    record = read_record(folder)
    if not folder.matrix.exists():
        raise UserError(Issue(f"study {name}", "is not done", None, f"go on with: hpo resume {name}"))
    planned = plan_rerank(record, top, seeds)
    inner = folder.rerank_study
    _refuse_other_numbers(name, inner, planned)
    with folder.lock():
        try:
            run_in(inner, planned, console)
        except StudyInterrupted:
            rest = f"what was done is kept; go on with: hpo rerank {name} --top {top} --seeds {seeds}"
            raise StudyInterrupted(Issue(f"reranking of {name}", "was interrupted", None, rest)) from None
        found = seeded_configurations(read_record(inner))
        settings = {"study": name, "top": top, "seeds": seeds}
        write_json(folder.rerank_results, settings | {"configurations": [each.to_json() for each in found]})
        write_report(folder)
    return found


def _refuse_other_numbers(name: str, inner: StudyFolder, planned: Study) -> None:
    if inner.study.exists() and (before := stored_study(inner)).identity != planned.identity:
        rule = (
            f"was reranked already: {before.trials} configurations under {before.seeds} seeds each, and now"
        )
        hint = f"ask for the same, or remove {inner.path} first"
        raise UserError(Issue(f"study {name}", rule, f"{planned.trials} under {planned.seeds}", hint))
