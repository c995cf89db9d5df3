"""The commands of ``python -m benchmarks``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hpo.errors import EXIT_INTERRUPTED
from hpo.storage.study_folder import ROOT

app = typer.Typer(
    help="Measure speed, disk and memory beside what people would use instead.", no_args_is_help=True
)

STEM = ROOT / "bench"
Out = Annotated[
    Path, typer.Option(help="stem of the .json with all figures taken, the .md, and the -notes.md")
]


@app.command()
def speed(
    only: Annotated[str, typer.Option(help="figures, or what their names begin with, by commas")] = "",
    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")] = "demo",
    tags: Annotated[str, typer.Option(help="tag family, a name or a YAML file")] = "suc-original",
    repeat: Annotated[int | None, typer.Option(min=1, help="repetitions [default: 5]")] = None,
    workers: Annotated[int, typer.Option(min=1, help="trials side by side")] = 2,
    seed: Annotated[int, typer.Option(help="of the configurations and the trainings")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="tiny sizes, to see that it works")] = False,
    profile: Annotated[
        Path | None, typer.Option(help="folder for py-spy's stacks of our arms; slows them")
    ] = None,
    out: Out = STEM,
) -> None:
    """Take figures, one after the other, and enter each into the table as soon as it is taken.

    Figures taken before stay in the table until they are taken again.

    Example: python -m benchmarks speed --only encoding,spans --repeat 3
    """
    import signal
    import sys
    import time
    from dataclasses import replace
    from functools import partial
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from benchmarks.speed.environments import describe_machine
    from benchmarks.speed.figures import FIGURES, select_figures
    from benchmarks.speed.results_store import read_results, save_figure, write_report
    from benchmarks.speed.settings import QUICK_SIZES, BenchmarkContext, Sizes

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_INTERRUPTED))  # so that no arm outlives it
    names = select_figures(only.split(","))
    table = out.with_suffix(".json")
    read_results(table)  # refused before an hour of work
    console = Console(stderr=True, highlight=False)
    profile = profile.resolve() if profile else None
    with TemporaryDirectory(prefix="hpo-bench") as folder:
        context = BenchmarkContext(
            data, tags, Path(folder), seed, workers, repeat, QUICK_SIZES if quick else Sizes()
        )
        corpus = context.fixture().facts
        for place, name in enumerate(names, 1):
            figure, at, where = FIGURES[name], time.monotonic(), f"{place}/{len(names)} {name}"
            with console.status(where) as status:
                heard = replace(
                    context,
                    profile=profile / name if profile else None,
                    on_progress=partial(_tell, status.update, where),
                )
                machine = describe_machine()
                rows = figure.measure(heard, repeat or figure.repeat)
            facts = {
                "about": figure.about,
                "machine": machine,
                "corpus": {key: corpus[key] for key in ("name", "sha256", "tags", "sentences")},
                "quick": quick,
                "profiled": profile is not None,
                "seconds": round(time.monotonic() - at, 1),
            }
            results = save_figure(table, name, rows, facts)
            write_report(results, FIGURES, out.with_suffix(".md"), out.with_name(f"{out.name}-notes.md"))
            console.print(f"{name}: {facts['seconds']:.0f} s", markup=False)
    table_of(out)


def _tell(update: Callable[[str], None], where: str, text: str) -> None:
    update(f"{where}: {text}")


@app.command()
def gpu(
    quick: Annotated[bool, typer.Option("--quick", help="tiny sizes, without a GPU too")] = False,
    out: Annotated[Path, typer.Option(help="stem of the .json and .md to write")] = ROOT / "bench-gpu",
) -> None:
    """Measure trials on a GPU: one beside a plain PyTorch loop, then 1, 2, 4 and 8 side by side.

    Needs no Ray, and a model of BERT-base's shape with random weights.

    Example: python -m benchmarks gpu
    """
    from benchmarks.speed.gpu_figures import (
        FULL,
        QUICK,
        measure,
        render,
    )

    print(render(measure(out, QUICK if quick else FULL)), end="")


@app.command("table")
def table_of(out: Out = STEM) -> None:
    """Print the table of the figures taken so far, and write it anew.

    Example: python -m benchmarks table
    """
    from benchmarks.speed.figures import FIGURES
    from benchmarks.speed.results_store import read_results, write_report

    print(
        write_report(
            read_results(out.with_suffix(".json")),
            FIGURES,
            out.with_suffix(".md"),
            out.with_name(f"{out.name}-notes.md"),
        )
    )
