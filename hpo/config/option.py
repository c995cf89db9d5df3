"""Declares a study field once, for the study file, the command line, make and the docs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

DATA, SEARCH, TRAINING, RESOURCES, OUTPUT = PANELS = (
    "Data and model",
    "Search",
    "Training",
    "Resources",
    "Output",
)
"""Groups of options, in the order in which the help texts and the docs show them."""


def option(panel: str, description: str, default: Any = ..., **details: Any) -> Any:
    """Return a pydantic field with a description and the metadata of its option.

    ``details`` are the limits that `pydantic.Field` takes, and: ``flag``, the name of the option where it
    differs from the field's; ``default_text``, which describes a default that depends on other fields;
    ``metavar``, the form of an item of a mapping, by default NAME=VALUE; ``shorthands``, keys of a mapping
    field with an option for each: ``--epochs 3`` is ``--fixed epochs=3``.
    """
    keys = ("flag", "default_text", "metavar", "shorthands")
    metadata: dict[str, Any] = {key: details.pop(key) for key in keys if key in details}
    return Field(default, description=description, json_schema_extra={"panel": panel, **metadata}, **details)
