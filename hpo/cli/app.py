"""Assembles the command line and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperCommand

from hpo.cli import checkpoints, cluster, grid, inputs, run, studies
from hpo.errors import EXIT_FAILED, EXIT_INTERRUPTED, UserError

COMMANDS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "Search": (run.run, grid.grid, cluster.resume, studies.rerank, run.replay),
    "Results": (studies.ls, studies.show, studies.matrix),
    "Models": (checkpoints.predict, checkpoints.evaluate, checkpoints.compare),
    "Inputs": (inputs.corpus, inputs.families, inputs.spaces, inputs.validate),
    "Clusters and background jobs": (cluster.submit, cluster.status, cluster.logs, cluster.stop),
}
"""Every command, by the panel of ``hpo --help`` that lists it."""


class Command(TyperCommand):
    """A command whose usage line names required arguments without Typer's braces: STUDY for {STUDY}."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line after the name of the command."""
        words = [re.sub(r"^{(.+)}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]
        # An argument with several names takes one value for each, although Typer adds an ellipsis.
        return [word.removesuffix("...") if " " in word else word for word in words]


app = typer.Typer(
    help="Hyperparameter optimization for named-entity recognition: from a corpus to the result matrix.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(cls=Command, rich_help_panel=panel)(command)


def main(program: typer.Typer = app) -> None:
    """Run a command line; print the issues of a user error, one per line, without a traceback."""
    # Libraries read these at their first import, which no module here does at its top.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        program()
    except UserError as error:
        for issue in error.issues:
            print(issue, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # the reader of a pipe has left; nobody reads a message
            location, reason = error.filename or "a file", error.strerror or error
            print(f"{location}: cannot be read or written: {reason}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except SystemExit as end:  # Typer turns an interrupt into this exit code
        if end.code == EXIT_INTERRUPTED:
            print("interrupted; finished work is kept: hpo ls, hpo resume STUDY", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
