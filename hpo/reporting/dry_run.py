"""What would be run and what it may cost; the search spaces and the hyperparameters that there are."""

from __future__ import annotations

from typing import Any

from hpo.config.search_space import Parameter, load_space
from hpo.config.study import Study
from hpo.config.training_config import hyperparameters
from hpo.corpora.tag_families import load_family
from hpo.environment import available_cores
from hpo.reporting.matrix_tables import render_table
from hpo.search.schedulers import build_scheduler
from hpo.search.trial import REPORTED_TRIAL_COUNTS
from hpo.storage.presets import list_presets


def render_dry_run(study: Study) -> str:
    """The resolved study, and bounds of its cost in epochs and of the disk it may use.

    Raises
    ------
    UserError
        if there is no such tag family or model.
    """
    load_family(study.tags)
    most, likely = epochs_bound(study)
    epochs = f"at most {most:,} epochs ({study.runs:,} trials x {study.max_epochs})"
    if likely < most:
        epochs += f", about {likely:,} where one trial in {study.reduction_factor} passes each rung"
    return f"{study.to_yaml()}\n# cost: {epochs}\n# disk: {describe_disk_use(study)}\n"


def describe_disk_use(study: Study) -> str:
    """The most that a study may write and not yet have deleted, in words."""
    from hpo.models.build import BYTES_PER_PARAMETER, count_parameters, state_bytes

    states = build_scheduler(study).checkpoint_slots(study.workers or available_cores())
    kept = study.keep_checkpoints + len(study.never_stopped)
    on_the_way = sum(count < study.runs for count in REPORTED_TRIAL_COUNTS)
    of_values = sum(map(len, study.space.few_valued.values()))
    leaders = on_the_way + of_values if study.seeds == 1 else 0
    model = count_parameters(study.model) * BYTES_PER_PARAMETER
    live = 2 * states * state_bytes(study.model)  # a new one stands beside the old until it is whole
    return (
        f"at most {((kept + leaders) * model + live) / 1e9:,.2f} GB: {kept + leaders} models of "
        f"{model / 1e6:,.0f} MB ({kept} kept, {leaders} that led on the way or are the best of a "
        "hyperparameter's "
        f"value), and up to {live / 1e9:,.2f} GB of state of {states} trials that may go on, which is in "
        "memory (/dev/shm) where there is room; besides, the encoded corpus"
    )


def epochs_bound(study: Study) -> tuple[int, int]:
    """Return the most epochs that a study can train, and the number that its scheduler expects."""
    expected = build_scheduler(study).expected_epochs(study.runs, study.max_epochs)
    return study.runs * study.max_epochs, expected


def list_spaces() -> list[dict[str, Any]]:
    """Every search space of ``search_spaces/``, with its name and its header comment."""
    return [
        {"name": name, "purpose": _header(path.read_text(encoding="utf-8"))}
        | load_space(str(path)).model_dump(mode="json", exclude_none=True)
        for name, path in list_presets("search_spaces").items()
    ]


def _header(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def render_spaces() -> str:
    """The search spaces, one after the other."""
    parts = []
    for space in list_spaces():
        parts.append(f"{space['name']}: {space['purpose']}\n")
        parts += [
            f"  {name:20}{_domain(Parameter(**domain))}\n" for name, domain in space["parameters"].items()
        ]
        parts += [f"  {name:20}= {value}\n" for name, value in space["fixed"].items()]
    return "".join(parts)


def _domain(parameter: Parameter) -> str:
    if parameter.values is not None:
        return "one of " + ", ".join(map(str, parameter.values))
    low, high = parameter.bounds
    return f"{parameter.type} {low:g} .. {high:g}"


def render_hyperparameter_table() -> str:
    """Every hyperparameter of the training configuration: type or values, limits, default, meaning."""
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
    if "anyOf" in field:  # a value, or unset
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
