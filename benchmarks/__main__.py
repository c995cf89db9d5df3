"""Runs the benchmarks: ``python -m benchmarks``, which the ``bench`` targets of the Makefile call."""

from benchmarks.search.commands import app as search
from benchmarks.speed.commands import app
from hpo.cli.app import main

app.add_typer(search, name="search")

if __name__ == "__main__":
    main(app)
