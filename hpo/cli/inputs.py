"""The commands that inspect inputs: corpora, tag families, search spaces and YAML files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import AsJson, print_json
from hpo.errors import Issue, UserError


def corpus(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="demo, a file, a folder, or a hub id name:config")
    ],
    tags: Annotated[str | None, typer.Option(help="a tag family to map the entity types to")] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a corpus: counts, entity types, duplicates, longest sentence and every problem.

    Example: hpo corpus my-corpus/ --tags conll
    """
    from hpo.corpora.profile import format_profile, profile_data

    found = profile_data(data, tags=tags)
    if as_json:
        print_json(found.to_json())
    else:
        print("\n".join(format_profile(found)))
    if found.issues:
        sys.exit(UserError.exit_code)


def families(as_json: AsJson = False) -> None:
    """List the tag families and their entity types.

    Example: hpo families
    """
    from hpo.corpora.tag_families import load_family
    from hpo.storage.presets import list_presets

    known = [load_family(str(path)) for path in list_presets("tag_families").values()]
    if as_json:
        print_json(known)
    else:
        for family in known:
            print(f"{family.name:24}{' '.join(family.types)}\n{'':24}{family.description.strip()}")


def spaces(
    hyperparameters: Annotated[
        bool, typer.Option("--hyperparameters", help="list the hyperparameters that a space can search")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the search spaces, or every hyperparameter with its values, default and meaning.

    Example: hpo spaces --hyperparameters
    """
    from hpo.config.training_config import hyperparameters as list_hyperparameters
    from hpo.reporting.catalog import list_spaces, render_hyperparameter_table, render_spaces

    if as_json:
        print_json(list_hyperparameters() if hyperparameters else list_spaces())
    else:
        print(render_hyperparameter_table() if hyperparameters else render_spaces(), end="")


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="study, space, tag family or corpus YAML files"),
    ],
) -> None:
    """Check YAML files without running anything; report every problem with its line.

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
