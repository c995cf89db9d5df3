"""Defines the commands of ``python -m benchmarks search``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.options import options_from
from hpo.storage.study_folder import ROOT

app = typer.Typer(
    help="Record learning curves, and compare search algorithms on recorded curves.", no_args_is_help=True
)

TABLE = Path(__file__).parent / "recorded" / "ajmc-en-tiny.jsonl"


@dataclass(frozen=True)
class RecordOptions:
    """Options of ``search record``."""

    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")]
    out: Annotated[Path, typer.Option(help="curve table to write, as JSON lines; an existing one is resumed")]
    tags: Annotated[str, typer.Option(help="tag family: a name or a YAML file")] = "suc-original"
    space: Annotated[str, typer.Option(help="search space: a name or a YAML file")] = "demo"
    model: Annotated[str, typer.Option(help="tiny, a hub id, or a folder with safetensors")] = "tiny"
    trials: Annotated[int, typer.Option(help="number of random configurations in the table")] = 200
    seed: Annotated[int, typer.Option(help="seed of the configurations and the training runs")] = 42


@app.command()
@options_from(RecordOptions)
def record(options: RecordOptions) -> None:
    """Train random configurations of a search space to their last epoch, in sequence and on one thread.

    Example: python -m benchmarks search record --data corpora/ajmc/en --tags ajmc --out ajmc-en-tiny.jsonl
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # must be set before torch is imported; search trials use one too
    from rich.console import Console
    from rich.progress import track

    from hpo.config.study import build_study
    from hpo.workflows.record_curves import record as record_table

    settings = {name: value for name, value in vars(options).items() if name != "out"}
    study = build_study(settings | {"algorithm": "random", "fixed": {"evals_per_epoch": 1}})
    progress = record_table(study, options.out)
    for _ in track(progress, "recording", options.trials, console=Console(stderr=True), transient=True):
        pass


@dataclass(frozen=True)
class CompareOptions:
    """Options of ``search compare``."""

    table: Annotated[Path, typer.Option(help="curve table written by record")] = TABLE
    seeds: Annotated[int, typer.Option(min=2, help="searches per algorithm")] = 30
    epochs: Annotated[int, typer.Option(min=100, help="budget of each search, in epochs")] = 450
    workers: Annotated[int, typer.Option(min=1, help="simulated trials in parallel")] = 4
    jobs: Annotated[int | None, typer.Option(min=1, help="parallel processes (default: all cores)")] = None
    only: Annotated[
        str, typer.Option(help="parts of titles, separated by commas; the default and random always run")
    ] = ""
    quick: Annotated[bool, typer.Option("--quick", help="smoke test: 2 seeds and 100 epochs")] = False
    out: Annotated[Path, typer.Option(help="path of the .md and .json files to write, without suffix")] = (
        ROOT / "bench-search"
    )


@app.command()
@options_from(CompareOptions)
def compare(options: CompareOptions) -> None:
    """Compare our algorithms, and those of the other libraries that are installed, on a curve table.

    Example: python -m benchmarks search compare --seeds 10 --only BOHB,Syne
    """
    from rich.console import Console

    from benchmarks.search.comparison import Conditions, compare_all, summarize, to_json
    from benchmarks.search.reports import render
    from hpo.environment import available_cores, describe_environment
    from hpo.storage.atomic import write_json, write_text

    seeds, epochs = (2, 100) if options.quick else (options.seeds, options.epochs)
    conditions = Conditions(options.table, seeds, epochs, options.workers)
    words = options.only.split(",")
    with Console(stderr=True).status("comparing …") as status:
        comparison = compare_all(
            conditions,
            options.jobs or available_cores(),
            include=lambda title: any(word in title for word in words),
            on_start=lambda title: status.update(f"{title} …"),
        )
    surrogate, outcomes = comparison.surrogate, comparison.outcomes
    rows = summarize(outcomes)
    versions = describe_environment()["versions"]
    text = render(rows, comparison, conditions, versions)
    write_text(options.out.with_suffix(".md"), text)
    facts = {"table": surrogate.table.conditions, "curves": surrogate.size, "best": surrogate.best}
    settings = {"seeds": seeds, "epochs": epochs, "workers": options.workers}
    write_json(
        options.out.with_suffix(".json"),
        {"conditions": facts | settings, "versions": versions} | to_json(rows, outcomes),
    )
    print(text)
