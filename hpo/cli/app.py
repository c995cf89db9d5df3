"""The command line: parse, call one function, print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from hpo.cli.checkpoints import register as register_evaluation
from hpo.cli.cluster import (
    Cpus,
    Gpus,
    Nodes,
    Partition,
    Profile,
    Time,
    Where,
    register,
    submit_studies,
)
from hpo.cli.studies import register as register_study_commands
from hpo.config.algorithms import ALGORITHMS
from hpo.config.trackers import given_trackers
from hpo.errors import EXIT_FAILED, EXIT_INTERRUPTED, Issue, StudyFailed, UserError

app = typer.Typer(
    help="Hyperparameter search for named-entity recognition: from a corpus to the result matrix.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register_evaluation(app)

Data = Annotated[
    str | None, typer.Option(help="demo, a file, a folder, or a hub id name:config [default: demo]")
]
Tags = Annotated[str | None, typer.Option(help="tag family, a name or a YAML file [default: suc-original]")]
TrainOn = Annotated[str | None, typer.Option(help="case variant to train on [default: cased]")]
Model = Annotated[
    str | None, typer.Option(help="tiny, a hub id, or a folder with safetensors [default: tiny]")
]
Space = Annotated[
    str | None, typer.Option(help="search space, a name or a YAML file [default: demo for tiny, else suc]")
]
Alg = Annotated[str | None, typer.Option(help=f"{', '.join(ALGORITHMS)} [default: asha]")]
Sampler = Annotated[str | None, typer.Option(help="whose TPE proposes: optuna or hyperopt [default: optuna]")]
Trials = Annotated[int | None, typer.Option(help="configurations to try [default: 50]")]
Epochs = Annotated[int | None, typer.Option(help="most epochs per trial [default: the space's]")]
Seed = Annotated[int | None, typer.Option(help="of search, training, mixes and cut splits [default: 42]")]
Seeds = Annotated[int | None, typer.Option(help="runs of each configuration of a grid [default: 1]")]
Workers = Annotated[int | None, typer.Option(help="trials side by side [default: all cores or GPUs]")]
GpusPerTrial = Annotated[float | None, typer.Option(help="GPUs per trial, or a share of one [default: 1]")]
Tracker = Annotated[
    str | None,
    typer.Option(
        help="tensorboard, mlflow[:URI], wandb[:PROJECT], by commas, or none [default: tensorboard]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print what would be run and its cost; run nothing")]


def main(program: typer.Typer = app) -> None:
    """Run a command line; a user's mistake ends with its problems, one per line, and no traceback."""
    # Read by the libraries when they are first imported, which no module here does at its top.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        program()
    except UserError as error:
        _end(error)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # of a reader that has left there is no one to tell
            where, reason = error.filename or "a file", error.strerror or error
            print(f"{where}: cannot be read or written: {reason}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except SystemExit as end:  # typer makes this of an interrupt
        if end.code == EXIT_INTERRUPTED:
            print("interrupted; what was done is kept: hpo ls, hpo resume STUDY", file=sys.stderr)
        raise


def _end(error: UserError) -> NoReturn:
    for issue in error.issues:
        print(issue, file=sys.stderr)
    sys.exit(error.exit_code)


def _console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given, under the names of the study's fields."""
    fields = {"alg": "algorithm", "study": "name"}
    given = {fields.get(name, name): value for name, value in options.items() if value not in (None, "", [])}
    if "epochs" in given:
        given["fixed"] = {"epochs": given.pop("epochs")}
    return given


@app.command()
def run(
    file: Annotated[Path | None, typer.Argument(help="a study file; options given besides it win")] = None,
    alg: Alg = None,
    trials: Trials = None,
    data: Data = None,
    tags: Tags = None,
    train_on: TrainOn = None,
    model: Model = None,
    space: Space = None,
    sampler: Sampler = None,
    epochs: Epochs = None,
    seed: Seed = None,
    seeds: Seeds = None,
    study: Annotated[
        str | None, typer.Option(help="name under results/ [default: made of the settings]")
    ] = None,
    gpus_per_trial: GpusPerTrial = None,
    workers: Workers = None,
    tracker: Tracker = None,
    objective: Annotated[
        str | None, typer.Option(help="a variant, mean(…) or min(…) of several [default: trained-on]")
    ] = None,
    warm_start: Annotated[
        list[str] | None, typer.Option(help="a study whose best are tried first; may be given several times")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Search, score the best models, print the matrix.

    The same settings again go on with a study that was interrupted, and show one that is done.

    Example: hpo run --alg asha --trials 50 --data my-corpus/ --tags conll --model bert-base-cased
    """
    from hpo.config.study import build_study, load_study
    from hpo.workflows.resolve import with_free_name, with_warm_start
    from hpo.workflows.run import run as run_study

    options = _given(
        alg=alg, trials=trials, data=data, tags=tags, train_on=train_on, model=model, space=space,
        sampler=sampler, epochs=epochs, seed=seed, seeds=seeds, study=study, workers=workers,
        gpus_per_trial=gpus_per_trial, objective=objective, warm_start=warm_start,
        trackers=given_trackers(tracker),
    )  # fmt: skip
    resolved = load_study(file, options) if file else build_study(options)
    resolved = with_warm_start(resolved)
    if not study and not file:
        resolved = with_free_name(resolved)
    if dry_run:
        from hpo.reporting.dry_run import render_dry_run

        print(render_dry_run(resolved))
        return
    _show_row(run_study(resolved, _console(stderr=True)))


def _show_row(row: Any) -> None:
    from hpo.reporting.report import render_matrices
    from hpo.storage.study_folder import StudyFolder

    print(render_matrices([row]))
    folder = StudyFolder(row.study)
    print(f"Best model: {folder.best / '1'}   Report: {folder.report}")


register(app, _show_row)


@app.command()
def replay(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="a study of pbt or pb2 that is done")],
    as_json: AsJson = False,
) -> None:
    """Train one model from scratch with the schedule that a population found, without a search.

    Example: hpo replay demo-suc-original-cased-pbt
    """
    from hpo.reporting.report import render_scores
    from hpo.workflows.replay import replay as replay_study

    console = _console(stderr=True)
    folder, scores = replay_study(name, console.print)
    if as_json:
        from pydantic import TypeAdapter

        _print_json(TypeAdapter(dict[str, Any]).dump_python(scores, mode="json"))
    else:
        print(render_scores(scores))
        print(f"Model: {folder}")


register_study_commands(app)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="a model folder, such as results/STUDY/best/1")],
    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")],
    tags: Annotated[str, typer.Option(help="tag family, a name or a YAML file")],
    seed: Annotated[int, typer.Option(help="of the mixes")] = 42,
    as_json: AsJson = False,
) -> None:
    """Score a checkpoint on the seven case variants of a corpus.

    Example: hpo evaluate results/my-study/best/1 --data my-corpus/ --tags conll
    """
    from hpo.evaluation.checkpoint_scores import evaluate_checkpoint
    from hpo.reporting.report import render_scores

    with _console(stderr=True).status("scoring …"):
        scores = evaluate_checkpoint(checkpoint, data, tags, seed)
    if as_json:
        from pydantic import TypeAdapter

        _print_json(TypeAdapter(dict[str, Any]).dump_python(scores, mode="json"))
    else:
        print(render_scores(scores))


@app.command()
def matrix(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help="default: all that are done")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="write the markdown to this file instead")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the result matrix of studies that are done.

    Example: hpo matrix --out results/matrix.md
    """
    from hpo.reporting.report import render_matrices
    from hpo.reporting.study_list import collect_rows
    from hpo.storage.atomic import write_text

    rows = collect_rows(studies or [])
    if as_json:
        _print_json([row.model_dump(mode="json") for row in rows])
    elif out:
        try:
            write_text(out, render_matrices(rows))
        except OSError as error:
            raise UserError(Issue(str(out), "cannot be written", error.strerror)) from None
    else:
        print(render_matrices(rows))


@app.command()
def grid(
    file: Annotated[Path | None, typer.Argument(help="a study file; options given besides it win")] = None,
    train_on: Annotated[str | None, typer.Option(help="case variants, by commas [default: all]")] = None,
    tags: Annotated[str | None, typer.Option(help="tag families, by commas [default: suc-original]")] = None,
    alg: Annotated[str | None, typer.Option(help="algorithms, by commas [default: asha]")] = None,
    trials: Trials = None,
    data: Data = None,
    model: Model = None,
    space: Space = None,
    sampler: Sampler = None,
    epochs: Epochs = None,
    seed: Seed = None,
    gpus_per_trial: GpusPerTrial = None,
    workers: Workers = None,
    tracker: Tracker = None,
    backend: Where = None,
    profile: Profile = None,
    nodes: Nodes = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    time: Time = None,
    partition: Partition = None,
    dry_run: DryRun = False,
) -> None:
    """Fill the matrix: a study for every variant × family × algorithm; rows that are done are skipped.

    With --backend slurm they are one job array, a row per element; hpo matrix collects.

    Example: hpo grid --train-on cased,uncased,uncased-cased-mix --trials 20
    """
    from hpo.reporting.report import render_matrices
    from hpo.workflows.grid import GridRows, plan_rows, run_rows

    options = _given(
        trials=trials, data=data, model=model, space=space, sampler=sampler, epochs=epochs, seed=seed,
        gpus_per_trial=gpus_per_trial, workers=workers, trackers=given_trackers(tracker),
    )  # fmt: skip
    studies = plan_rows(options, GridRows(train_on, tags, alg), file)
    given = _given(nodes=nodes, gpus=gpus, cpus=cpus, time=time, partition=partition)
    if backend:  # of SLURM one array, with a row per element; hpo matrix collects
        return submit_studies(studies, backend, profile, given, dry_run=dry_run)
    for option, value in ({"profile": profile and str(profile)} | given).items():
        if value is not None:
            raise UserError(Issue(f"--{option}", "asks something of a job", value, "add --backend slurm"))
    if dry_run:
        from hpo.reporting.dry_run import render_dry_run

        print("\n".join(render_dry_run(study) for study in studies))
        return
    rows, failures = run_rows(studies, _console(stderr=True))
    print(render_matrices(rows))
    if failures:
        raise StudyFailed(issue for failure in failures for issue in failure.issues)


@app.command()
def corpus(
    data: Annotated[str, typer.Argument(help="demo, a file, a folder, or a hub id name:config")],
    tags: Tags = None,
    as_json: AsJson = False,
) -> None:
    """Say what is in a corpus: counts, types, duplicates, the longest sentence, every problem.

    Example: hpo corpus my-corpus/ --tags conll
    """
    from hpo.corpora.profile import format_profile, profile_data

    found = profile_data(data, tags=tags)
    if as_json:
        _print_json(found.to_json())
    else:
        print("\n".join(format_profile(found)))
    if found.issues:
        sys.exit(UserError.exit_code)


@app.command()
def families(as_json: AsJson = False) -> None:
    """List the tag families and their entity types.

    Example: hpo families
    """
    from hpo.corpora.tag_families import load_family
    from hpo.storage.presets import list_presets

    known = [load_family(str(path)) for path in list_presets("tag_families").values()]
    if as_json:
        _print_json([family.model_dump(mode="json") for family in known])
    else:
        for family in known:
            print(f"{family.name:24}{' '.join(family.types)}\n{'':24}{family.description.strip()}")


@app.command()
def spaces(
    hyperparameters: Annotated[
        bool,
        typer.Option(
            "--hyperparameters", help="describe every hyperparameter of the training configuration instead"
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the search spaces, or every hyperparameter that a space may search or fix.

    Example: hpo spaces --hyperparameters
    """
    from hpo.config.training_config import hyperparameters as list_hyperparameters
    from hpo.reporting.catalog import list_spaces, render_hyperparameter_table, render_spaces

    if as_json:
        _print_json(list_hyperparameters() if hyperparameters else list_spaces())
    else:
        print(render_hyperparameter_table() if hyperparameters else render_spaces(), end="")


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="study, space, family or corpus YAML files")],
) -> None:
    """Check YAML files without running anything: every problem with its line.

    Example: hpo validate my-study.yaml search_spaces/*.yaml
    """
    from hpo.workflows.validate import validate_file

    issues: list[Issue] = []
    for file in files:
        try:
            print(f"{file}: {validate_file(file)}, valid")
        except UserError as error:
            issues.extend(error.issues)
    if issues:
        raise UserError(issues)


if __name__ == "__main__":
    main()
