"""A study from its corpus to its row of the result matrix."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console

from hpo.corpora.families import TagFamily, load_family
from hpo.corpora.families import apply as apply_family
from hpo.corpora.loading import load
from hpo.corpora.sentences import SPLITS, Corpus
from hpo.documents import dump_yaml
from hpo.environment import available_cores, describe_environment, gpu_names
from hpo.errors import Fault, StudyFailed, StudyInterrupted, UserError
from hpo.evaluation.matrix import Matrix, MatrixRow, read_matrix
from hpo.evaluation.scored import write_scores
from hpo.reporting.markdown import KNOBS
from hpo.results import StudyFolder, link_folder, read_lines, write_json, write_text
from hpo.search.algorithms import ALGORITHMS
from hpo.search.baseline import default_trial
from hpo.search.leaders import best_of_values
from hpo.search.schedules import params_at_best, winning_schedule
from hpo.search.spaces import Parameter
from hpo.search.trials import Trial, leading, milestone_leaders, read_trials
from hpo.search.warm_start import warm_start
from hpo.study import Study, stored_study
from hpo.tracking.listener import Tracking, tracked
from hpo.tracking.names import refuse_absent
from hpo.training.recipe import TINY, Recipe

if TYPE_CHECKING:  # it brings transformers, which hpo ls has no use for
    from hpo.search.driver import Resources
    from hpo.training.encoding import EncodedCorpus

    Readings: TypeAlias = Mapping[tuple[int, int], EncodedCorpus]


def run(study: Study, console: Console | None = None, *, quiet: bool = False) -> MatrixRow:
    """Run a study to its end, from its start or from where it was left, and score its best models.

    A study that is done already is not run again; its row is read. Progress is shown on the console, by
    default standard error, unless ``quiet``.

    Raises
    ------
    UserError
        if the study's folder holds another study, or its corpus, family or model is refused. Nothing
        has been written then.
    StudyFailed
        if no trial succeeded.
    StudyInterrupted
        if the user stopped it.
    """
    console = console or Console(stderr=True, highlight=False, quiet=quiet)
    return run_in(StudyFolder(study.name), study, console)


def run_in(folder: StudyFolder, study: Study, console: Console) -> MatrixRow:
    """As `run`, in a folder that need not lie under results/ itself."""
    refuse_another(study, folder)
    if folder.matrix.exists():
        console.print(f"{study.name} is done already, and was not run again", markup=False)
        return read_matrix(folder.matrix).rows[0]
    refuse_absent(study.trackers)
    # Brings transformers, for which a study that is done has no use.
    from hpo.training.preparation import joined_notes, window_notes

    resources, clustered = plan_search(study)
    with console.status("preparing the corpus …"):
        corpus, family = read_corpus(study)
        readings = encode_each(study, corpus, family)
        schemes = study.space.possible(study.space.fixed | study.fixed)["label_scheme"]
        joined = joined_notes(next(iter(readings.values())), schemes)
        corpus = replace(corpus, notes=(*corpus.notes, *window_notes(readings), *joined))
    with folder.locked(), tracked(study, folder, lambda line: console.print(line, markup=False)) as tracking:
        environment = describe_environment() | {"corpus_sha256": corpus.sha256, "notes": corpus.notes}
        if not folder.study.exists():  # its time is when the study was started
            write_text(folder.study, study.to_yaml())
        write_json(folder.environment, environment)
        _search(study, folder, readings, resources, clustered, console, tracking)
        with console.status("scoring the best models …"):
            row = _score_best(study, folder, family, corpus, readings, environment)
        tracking.score(row)
        return row


def encode(study: Study, corpus: Corpus, family: TagFamily) -> EncodedCorpus:
    """As `encode_each`, the first of them: of a study whose trials all read alike."""
    return next(iter(encode_each(study, corpus, family).values()))


def encode_each(study: Study, corpus: Corpus, family: TagFamily) -> Readings:
    """Encode the corpus in each way that a trial may read it, by ``max_length`` and ``context``.

    The model is loaded once, so that what is wrong with it is told before any trial starts.
    """
    from hpo.training.modeling import build_model
    from hpo.training.optimization import refuse_misfit
    from hpo.training.preparation import prepare

    recipe = study.recipe({name: _telling(name, domain) for name, domain in study.space.parameters.items()})
    possible = study.space.possible(study.space.fixed | study.fixed)
    readings = {
        (max_length, context): prepare(
            corpus,
            family,
            study.model,
            max_length=max_length,
            seed=study.seed,
            context=context,
            exactly="max_length" in recipe.model_fields_set,
        )
        for max_length, context in product(possible["max_length"], possible["context"])
    }
    data = next(iter(readings.values()))
    model = build_model(study.model, data.label_names, data.vocabulary, recipe, study.seed)
    for name, domain in study.space.parameters.items():
        for value in domain.ends:
            refuse_misfit(model, recipe.model_copy(update={name: value}))
    return readings


def _telling(knob: str, domain: Parameter) -> Any:
    """A searched value of a knob that asks something of the model, where there is one."""
    default = Recipe.model_fields[knob].default
    return next((value for value in domain.ends if value != default), default)


def plan_search(study: Study) -> tuple[Resources, bool]:
    """What a study may use of this machine, or of the cluster that the environment names, and whether of one.

    Raises
    ------
    UserError
        if the cluster does not answer, or a trial wants more GPUs than one machine has.
    """
    from hpo.search.driver import cluster_nodes, plan_cluster, plan_resources

    if nodes := cluster_nodes():
        return plan_cluster(study.workers, study.gpus_per_trial, nodes), True
    return plan_resources(study.workers, study.gpus_per_trial, available_cores(), len(gpu_names())), False


def _search(
    study: Study,
    folder: StudyFolder,
    readings: Readings,
    resources: Resources,
    clustered: bool,
    console: Console,
    tracking: Tracking,
) -> None:
    from hpo.reporting.progress import shown
    from hpo.search.conductor import Conductor
    from hpo.search.driver import search
    from hpo.search.keeping import in_memory, states_at_once
    from hpo.search.worker import TrialRun
    from hpo.training.modeling import state_bytes

    # Workers run in a folder of Ray's, so whatever is a path here must be absolute there.
    absolute = StudyFolder(study.name, folder.path.parent.resolve())
    if not clustered:  # else a trial may go on on another machine, so its state is on shared disk
        absolute = in_memory(absolute, states_at_once(study, resources.workers) * state_bytes(study.model))
    conductor = Conductor(study, absolute)
    tracking.catch_up(conductor.trials)
    conductor.listen(tracking.hear)
    local = study.model != TINY and Path(study.model).is_dir()
    model = str(Path(study.model).resolve()) if local else study.model
    folders = {reading: data.folder for reading, data in readings.items()}
    trial_run = TrialRun(
        study,
        absolute,
        next(iter(folders.values())),
        model,
        folders,
        gpus=resources.gpus,
        processes=resources.processes,
    )
    try:
        if not conductor.finished:
            with shown(conductor, resources.workers, console):
                search(conductor, trial_run, resources)
    finally:
        conductor.close()
    if not conductor.finished:
        rest = f"what was done is kept; go on with: hpo resume {study.name}"
        raise StudyInterrupted(Fault(f"study {study.name}", "was interrupted", None, rest))


def _score_best(
    study: Study,
    folder: StudyFolder,
    family: TagFamily,
    corpus: Corpus,
    readings: Readings,
    environment: Mapping[str, Any],
) -> MatrixRow:
    """Turn the kept checkpoints into model folders, score them, and write the study's results."""
    from hpo.evaluation.checkpoints import examine_checkpoint
    from hpo.reporting.cards import render_card
    from hpo.reporting.studies import write_report

    trials = read_trials(read_lines(folder.trials))
    best = leading(trials)[: study.keep]
    if not best:
        raise _nothing_succeeded(study, trials)

    def export(trial: Trial, target: Path) -> MatrixRow:
        data = _reading(study, trial, readings)
        promote(folder.checkpoint(trial.number), target, data.tokenizer)
        scores, confusions = examine_checkpoint(target, data, ("dev", "test"), study.train_on)
        row = _row(study, family, corpus, trial, scores)
        write_scores(folder.scores(trial.number), scores)
        plain = {split: each.model_dump(mode="json") for split, each in confusions.items()}
        write_json(target / "confusion.json", plain)
        write_json(target / "scores.json", row.model_dump(mode="json"))
        write_text(target / "README.md", render_card(study, family, trial, row, environment, data))
        return row

    rows = [export(trial, folder.best / str(rank)) for rank, trial in enumerate(best, 1)]
    default = default_trial(study, trials)
    if default in leading(trials) and default not in best and folder.checkpoint(default.number).exists():
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
    """Score who led after 10, 27, 50 … trials and who is the best of a knob's value, where not done yet."""
    from hpo.evaluation.checkpoints import score_checkpoint

    place = folder.checkpoints / ".scored"
    leaders = milestone_leaders(trials, study.runs).values()
    for trial in (*leaders, *best_of_values(study.space, trials).values()):
        checkpoint = folder.checkpoint(trial.number)
        if checkpoint.exists() and not folder.scores(trial.number).exists():
            data = _reading(study, trial, readings)
            promote(checkpoint, place, data.tokenizer)
            write_scores(folder.scores(trial.number), score_checkpoint(place, data, ("dev", "test")))


def _reading(study: Study, trial: Trial, readings: Readings) -> EncodedCorpus:
    """The corpus as a trial read it."""
    recipe = study.recipe(trial.params)
    return readings[recipe.max_length, recipe.context]


def promote(checkpoint: Path, target: Path, tokenizer: Path) -> None:
    """Make a model folder of a checkpoint, which stays, so that an interrupted promotion can be made again.

    Raises
    ------
    StudyFailed
        if the checkpoint is gone.
    """
    if not link_folder(checkpoint, target):
        rest = "run the study again under another name"
        raise StudyFailed(Fault(str(checkpoint), "is gone, of a trial that is among the best", None, rest))
    shutil.copytree(tokenizer, target, dirs_exist_ok=True)


def _row(
    study: Study, family: TagFamily, corpus: Corpus, trial: Trial, scores: Mapping[str, Mapping[str, Any]]
) -> MatrixRow:
    recipe = study.recipe(params_at_best(trial)).model_dump()
    shown = {name: recipe[name] for name in (*KNOBS, *study.space.parameters) if name in recipe}
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
    default = Study.model_fields["searcher"].default
    return title if study.searcher == default else f"{title} ({study.searcher})"


def _nothing_succeeded(study: Study, trials: list[Trial]) -> StudyFailed:
    reasons = list(dict.fromkeys(trial.reason for trial in trials if trial.reason))
    return StudyFailed(
        [
            Fault(f"study {study.name}", f"none of its {len(trials)} trials succeeded", None, "see results/"),
            *(Fault(f"study {study.name}", "a trial ended with", reason) for reason in reasons[:5]),
        ]
    )


def refuse_another(study: Study, folder: StudyFolder) -> None:
    """Refuse to run a study in the folder of one that looks for something else.

    Raises
    ------
    UserError
        with each field in which they differ.
    """
    if not folder.study.exists():
        return
    there, here = stored_study(folder).identity, study.identity
    faults = [
        Fault(
            f"study {study.name}",
            f"stands under results/ with {field} = {there[field]!r}, and is asked for with",
            here[field],
            "give another STUDY name, or the same settings to go on with it",
        )
        for field in here
        if there[field] != here[field]
    ]
    if faults:
        raise UserError(faults)


def start_warm(study: Study) -> Study:
    """The study with the best of the studies that it names as its first guesses.

    Raises
    ------
    UserError
        if one of them is not under results/.
    """
    folders = [StudyFolder(name) for name in study.warm_start]
    for folder in folders:
        stored_study(folder)
    earlier = [read_trials(read_lines(folder.trials)) for folder in folders]
    return study.model_copy(update={"space": warm_start(study.space, earlier)}) if earlier else study


def free_name(study: Study) -> Study:
    """The study under its own name, or under one with a number where another study has taken that."""
    number = 1
    named = study
    while True:
        folder = StudyFolder(named.name)
        if not folder.study.exists() or stored_study(folder).identity == study.identity:
            return named
        number += 1
        named = study.model_copy(update={"name": f"{study.name}-{number}"})


def read_corpus(study: Study) -> tuple[Corpus, TagFamily]:
    """The corpus of a study in its family's labels, split as the study asks.

    Raises
    ------
    UserError
        with every fault of the corpus or the family, or if train or dev has no sentence.
    """
    family = load_family(study.tags)
    prune = {str(name): share for name, share in study.prune.items()}
    corpus = load(study.data, seed=study.seed, dev_share=study.dev_share, prune=prune)
    corpus = apply_family(family, corpus)
    missing = [
        Fault(
            study.data,
            f"a study needs {split}, and has no sentence in it",
            None,
            "; ".join(corpus.notes) or "name the files in a corpus.yaml beside them",
        )
        for split in dict.fromkeys((*study.train_splits, "dev"))
        if not corpus.splits.get(split)
    ]
    if missing:
        raise UserError(missing)
    splits = {name: corpus.splits[name] for name in SPLITS if corpus.splits.get(name)}
    splits["train"] = tuple(sentence for name in study.train_splits for sentence in corpus.splits[name])
    seen = tuple(
        f"{name} was trained on, so its scores are not of unseen text"
        for name in study.train_splits
        if name != "train"
    )
    return replace(corpus, splits=splits, notes=(*corpus.notes, *seen)), family
