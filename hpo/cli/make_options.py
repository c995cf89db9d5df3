"""Writes options.mk, which gives make a variable for every option: ``python -m hpo.cli.make_options``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from hpo.cli.options import Option, job_options, study_options

TARGET = Path("options.mk")
WIDTH = 100
SLURM_PANEL = "With --backend slurm"


def render() -> str:
    """Return the text of options.mk.

    Lines that begin with ``##`` are the help of the variables, which ``make help`` prints. The recipes read
    the values from the environment (``"$$NAME"``), so the shell never parses them.
    """
    study = study_options()
    job = [option for option in job_options() if option.panel == SLURM_PANEL]
    return "\n".join(
        [
            "# Generated from the settings models by `python -m hpo.cli.make_options`; do not edit.",
            _assign("STUDY_VARIABLES :=", (option.variable for option in study)),
            _assign("STUDY_FLAGS =", map(_flag, study)),
            _assign("JOB_VARIABLES :=", (option.variable for option in job)),
            _assign("JOB_FLAGS =", map(_flag, job)),
            "## Variables of make hpo and make slurm, with their defaults; lists are separated by commas",
            *_help(study),
            "##",
            "## Variables of make slurm",
            *_help(job),
            "",
        ]
    )


def _assign(variable: str, words: Iterable[str]) -> str:
    return " \\\n\t".join((variable, *words))


def _flag(option: Option) -> str:
    return f"$(call flag,{option.variable},{option.name})"


def _help(options: Iterable[Option]) -> Iterator[str]:
    for panel, members in groupby(options, key=lambda option: option.panel):
        yield f"## {panel}:"
        for option in members:
            concrete = option.default if " " not in option.default else ""
            note = f" (default: {option.default})" if option.default and not concrete else ""
            head = f"{option.variable}={concrete}"
            note += f"; as {option.metavar},{option.metavar}" if option.kind is dict else ""
            lines = textwrap.wrap(option.help + note, WIDTH - 30, break_on_hyphens=False) or [""]
            yield f"##   {head:<26} {lines[0]}"
            yield from (f"##   {'':<26} {line}" for line in lines[1:])


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
