"""The commands of ``python -m benchmarks search``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hpo.storage.study_folder import ROOT

app = typer.Typer(help="Record learning curves once, and compare searches on them.", no_args_is_help=True)

TABLE = Path(__file__).parent / "recorded" / "ajmc-en-tiny.jsonl"


@app.command()
def record(
    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")],
    out: Annotated[Path, typer.Option(help="the table, as JSON lines; one that is there goes on")],
    tags: Annotated[str, typer.Option(help="tag family, a name or a YAML file")] = "suc-original",
    space: Annotated[str, typer.Option(help="search space, a name or a YAML file")] = "demo",
    model: Annotated[str, typer.Option(help="tiny, a hub id, or a folder with safetensors")] = "tiny",
    trials: Annotated[int, typer.Option(help="random configurations in the table")] = 200,
    seed: Annotated[int, typer.Option(help="of the draws and the trainings")] = 42,
) -> None:
    """Train random configurations of a space to their last epoch, one after the other on one thread.

    Example: python -m benchmarks search record --data corpora/ajmc/en --tags ajmc --out ajmc-en-tiny.jsonl
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded; a trial of a search has one as well
    from rich.console import Console
    from rich.progress import track

    from hpo.config.study import build_study
    from hpo.workflows.record_curves import record as record_table

    options = {"data": data, "tags": tags, "space": space, "model": model, "trials": trials, "seed": seed}
    study = build_study(options | {"algorithm": "random", "fixed": {"evals_per_epoch": 1}})
    for _ in track(
        record_table(study, out), "recording", trials, console=Console(stderr=True), transient=True
    ):
        pass


@app.command()
def compare(
    table: Annotated[Path, typer.Option(help="a table that record has written")] = TABLE,
    seeds: Annotated[int, typer.Option(min=2, help="searches per algorithm")] = 30,
    epochs: Annotated[int, typer.Option(min=100, help="epochs that each search may spend")] = 450,
    workers: Annotated[int, typer.Option(min=1, help="simulated trials side by side")] = 4,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes here [default: all cores]")] = None,
    only: Annotated[str, typer.Option(help="parts of titles, by commas, beside our default")] = "",
    out: Annotated[Path, typer.Option(help="stem of the .md and .json to write")] = ROOT / "bench-search",
) -> None:
    """Compare every algorithm of ours, and other libraries' that are installed, on a table.

    Example: python -m benchmarks search compare --seeds 10 --only BOHB,Syne
    """
    from rich.console import Console

    from benchmarks.search.comparison import (
        Conditions,
        compare_all,
        summarize,
        to_json,
    )
    from benchmarks.search.reports import render
    from hpo.environment import available_cores, describe_environment
    from hpo.storage.atomic import write_json, write_text

    conditions = Conditions(table, seeds, epochs, workers)
    words = only.split(",")
    with Console(stderr=True).status("comparing …") as status:
        surrogate, outcomes, absent = compare_all(
            conditions,
            jobs or available_cores(),
            chosen=lambda title: any(word in title for word in words),
            told=lambda title: status.update(f"{title} …"),
        )
    rows = summarize(outcomes)
    versions = describe_environment()["versions"]
    text = render(rows, absent, surrogate, conditions, versions)
    write_text(out.with_suffix(".md"), text)
    facts = {"table": surrogate.table.conditions, "curves": surrogate.size, "best": surrogate.best}
    settings = {"seeds": seeds, "epochs": epochs, "workers": workers}
    write_json(
        out.with_suffix(".json"),
        {"conditions": facts | settings, "versions": versions} | to_json(rows, outcomes),
    )
    print(text)
