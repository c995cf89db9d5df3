"""Defines the commands ``speed``, ``gpu`` and ``table`` of ``python -m benchmarks``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.options import options_from
from hpo.errors import EXIT_INTERRUPTED
from hpo.storage.study_folder import ROOT

app = typer.Typer(
    help="Measure speed, disk and memory use, and compare them with those of other tools.",
    no_args_is_help=True,
)

Out = Annotated[
    Path,
    typer.Option(help="path of the .json (all figures), .md and -notes.md files, without suffix"),
]
DEFAULT_OUT = ROOT / "bench"


@dataclass(frozen=True)
class SpeedOptions:
    """Options of ``speed``."""

    only: Annotated[str, typer.Option(help="figures or prefixes of their names, separated by commas")] = ""
    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")] = "demo"
    tags: Annotated[str, typer.Option(help="tag family: a name or a YAML file")] = "suc-original"
    repeat: Annotated[int | None, typer.Option(min=1, help="repetitions (default: 5)")] = None
    workers: Annotated[int, typer.Option(min=1, help="parallel trials")] = 2
    seed: Annotated[int, typer.Option(help="seed of the configurations and the training runs")] = 0
    quick: Annotated[bool, typer.Option("--quick", help="smoke test with tiny sizes")] = False
    profile: Annotated[
        Path | None, typer.Option(help="folder for py-spy's stacks of our contestants, which slows them down")
    ] = None
    out: Out = DEFAULT_OUT


@app.command()
@options_from(SpeedOptions)
def speed(options: SpeedOptions) -> None:
    """Measure figures in sequence, and add each to the table as soon as it is measured.

    Figures measured earlier stay in the table until they are measured again.

    Example: python -m benchmarks speed --only encoding,spans --repeat 3
    """
    import signal
    import sys
    import time
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from benchmarks.speed.environments import describe_machine
    from benchmarks.speed.figures import FIGURES, select_figures
    from benchmarks.speed.results_store import read_results, save_figure
    from benchmarks.speed.settings import QUICK_SIZES, BenchmarkContext, Sizes

    # An exception ends the running contestant, which SIGTERM by default would not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_INTERRUPTED))
    names = select_figures(options.only.split(","))
    table = options.out.with_suffix(".json")
    read_results(table)  # raises now, not after the first measurement
    console = Console(stderr=True, highlight=False)
    profile = options.profile.resolve() if options.profile else None
    with TemporaryDirectory(prefix="hpo-bench") as folder:
        context = BenchmarkContext(
            options.data,
            options.tags,
            Path(folder),
            options.seed,
            options.workers,
            options.repeat,
            QUICK_SIZES if options.quick else Sizes(),
        )
        corpus = context.fixture().facts
        for number, name in enumerate(names, 1):
            figure, start, position = FIGURES[name], time.monotonic(), f"{number}/{len(names)} {name}"
            with console.status(position) as status:

                def show(text: str, position: str = position, status: Any = status) -> None:
                    status.update(f"{position}: {text}")

                machine = describe_machine()
                rows = figure.measure(
                    replace(context, profile=profile / name if profile else None, on_progress=show),
                    options.repeat or figure.repeat,
                )
            facts = {
                "about": figure.about,
                "machine": machine,
                "corpus": {key: corpus[key] for key in ("name", "sha256", "tags", "sentences")},
                "quick": options.quick,
                "profiled": profile is not None,
                "seconds": round(time.monotonic() - start, 1),
            }
            save_figure(table, name, rows, facts)
            _write_table(options.out)
            console.print(f"{name}: {facts['seconds']:.0f} s", markup=False)
    print_table(options.out)


def _write_table(out: Path) -> str:
    from benchmarks.speed.figures import FIGURES
    from benchmarks.speed.results_store import read_results, write_report

    results = read_results(out.with_suffix(".json"))
    return write_report(results, FIGURES, out.with_suffix(".md"), out.with_name(f"{out.name}-notes.md"))


@app.command()
def gpu(
    quick: Annotated[bool, typer.Option("--quick", help="smoke test; needs no GPU")] = False,
    out: Annotated[Path, typer.Option(help="path of the .json and .md files, without suffix")] = (
        ROOT / "bench-gpu"
    ),
) -> None:
    """Measure trials on a GPU: one compared with a plain PyTorch loop, then 1, 2, 4 and 8 in parallel.

    Uses a model with the shape of BERT-base and random weights, and does not need Ray.

    Example: python -m benchmarks gpu
    """
    from benchmarks.speed.gpu_figures import FULL, QUICK, measure, render

    print(render(measure(out, QUICK if quick else FULL)), end="")


@app.command("table")
def print_table(out: Out = DEFAULT_OUT) -> None:
    """Write and print the table of the figures measured so far.

    Example: python -m benchmarks table
    """
    print(_write_table(out))
