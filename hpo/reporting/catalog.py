"""Lists of the search spaces and of the hyperparameters of the training configuration."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from hpo.config.domain import Domain
from hpo.config.search_space import load_space
from hpo.config.training_config import hyperparameters
from hpo.reporting.tables import render_table
from hpo.storage.presets import list_presets


def list_spaces() -> list[dict[str, Any]]:
    """Return every search space of ``search_spaces/``, with its name and its header comment."""
    return [
        {"name": name, "purpose": _header(path.read_text(encoding="utf-8"))}
        | load_space(str(path)).model_dump(mode="json", exclude_none=True)
        for name, path in list_presets("search_spaces").items()
    ]


def _header(text: str) -> str:
    comments = takewhile(lambda line: line.startswith("#"), text.splitlines())
    return " ".join(line.lstrip("# ") for line in comments)


def render_spaces() -> str:
    """Return every search space with the domain of each hyperparameter, one per line."""
    parts = []
    for space in list_spaces():
        parts.append(f"{space['name']}: {space['purpose']}\n")
        parts += [f"  {name:20}{_domain(Domain(**domain))}\n" for name, domain in space["parameters"].items()]
        parts += [f"  {name:20}= {value}\n" for name, value in space["fixed"].items()]
    return "".join(parts)


def _domain(parameter: Domain) -> str:
    if parameter.values is not None:
        return "one of " + ", ".join(map(str, parameter.values))
    low, high = parameter.bounds
    return f"{parameter.type} {low:g} .. {high:g}"


def render_hyperparameter_table() -> str:
    """Return a table of every hyperparameter of the training configuration: values, default, meaning."""
    return render_table(
        ("hyperparameter", "values", "default", "meaning"),
        [
            (name, _values(field), str(field["default"]), field["description"])
            for name, field in hyperparameters().items()
        ],
    )


def _values(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if "anyOf" in field:
        return " or ".join("unset" if each["type"] == "null" else _values(each) for each in field["anyOf"])
    if field["type"] == "boolean":
        return "true, false"
    if field["type"] == "string":
        return "text"
    low = f"{field['minimum']} <=" if "minimum" in field else f"{field['exclusiveMinimum']} <"
    high = (
        f"< {field['exclusiveMaximum']}"
        if "exclusiveMaximum" in field
        else f"<= {field['maximum']}"
        if "maximum" in field
        else ""
    )
    return f"{low} {field['type']} {high}".strip()
