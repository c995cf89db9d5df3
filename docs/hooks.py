"""MkDocs hooks: insert the tables that are generated from the code, and leave this file out of the site."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import Files

from hpo.cli.reference import hyperparameter_table, job_options_table, options_table

GENERATED = {
    "<!-- generated: options -->": options_table,
    "<!-- generated: job options -->": job_options_table,
    "<!-- generated: hyperparameters -->": hyperparameter_table,
}


def on_files(files: Files, **_: Any) -> Files:
    """Leave Python files out of the site."""
    return Files([file for file in files if not file.src_path.endswith(".py")])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker of a page by its table."""
    for marker, table in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown
