"""Run the benchmarks as ``python -m benchmarks``; the Makefile's bench targets call it."""

from benchmarks.search.commands import app as search
from benchmarks.speed.commands import app
from hpo.cli.app import main

app.add_typer(search, name="search")

if __name__ == "__main__":
    main(app)
