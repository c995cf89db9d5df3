"""MkDocs hooks: insert the tables that are generated from the code."""

from __future__ import annotations

from typing import Any

from hpo.cli.reference import hyperparameters_table, options_table

GENERATED = {
    "<!-- generated: options -->": options_table,
    "<!-- generated: hyperparameters -->": hyperparameters_table,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker of a page by its table."""
    for marker, table in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown
