"""Generates command-line options from the fields of the settings models, so that each is declared once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo
from rich.markup import escape

from hpo.config.option import PANELS
from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.errors import Issue, UserError
from hpo.storage.yaml_files import Key, parse_yaml

EMPTY = "none"
"""The value that empties an option with several values, such as ``--tracker none``."""

METAVARS: Mapping[Any, str] = {
    list: "A,B", dict: "NAME=VALUE", str: "str", int: "int", float: "float", bool: "yes|no"
}  # fmt: skip
"""How the help shows the values of each type, as Typer does."""


@dataclass(frozen=True)
class Option:
    """One option: ``--name`` on the command line and ``NAME`` in make.

    ``kind`` is the type of its field: bool, int, float, str, list or dict. ``key`` is set for an option that
    sets one key of a mapping field, as ``--epochs`` does for ``fixed``. ``metavar`` is the form of the value
    in the help.
    """

    field: str
    name: str
    kind: type
    help: str
    default: str
    panel: str
    metavar: str
    key: str = ""

    @property
    def flag(self) -> str:
        """The option as the user types it."""
        return f"--{self.name}"

    @property
    def argument(self) -> str:
        """The name of the parameter of the command function."""
        return self.key or self.field

    @property
    def variable(self) -> str:
        """The name of the variable of make."""
        return self.name.upper().replace("-", "_")

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter of the command function, as Typer reads it; None means that it was not given."""
        default = f" [dim]{escape(f'[default: {self.default}]')}[/dim]" if self.default else ""
        info = typer.Option(
            self.flag,
            help=escape(self.help) + default,
            metavar=f"<{self.metavar}>",
            rich_help_panel=self.panel,
            show_default=False,
        )
        # The settings model converts numbers, so that its error messages are the same as for a study file.
        annotation: Any = list[str] if self.kind in (list, dict) else str
        return inspect.Parameter(
            self.argument,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[annotation | None, info],
        )

    def parse(self, value: Any) -> Any:
        """Return the value of the field for what the user typed.

        Raises
        ------
        UserError
            If an item of a mapping is not of the form of ``metavar``.
        """
        if self.kind is list:
            names = [each.strip() for text in value for each in text.split(",") if each.strip()]
            return () if names == [EMPTY] else tuple(names)
        if self.kind is dict:
            return dict(self._item(item) for text in value for item in re.split(r",\s*(?=\w+=)", text))
        return _scalar(value) if self.kind in (int, float) else value

    def _item(self, text: str) -> tuple[str, Any]:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UserError(Issue(self.flag, f"must have the form {self.metavar}", text))
        return name.strip(), _scalar(value.strip())


@dataclass(frozen=True)
class GivenOptions:
    """The options that the user gave, as fields of a settings model, and the option that sets each field."""

    fields: dict[str, Any] = field(default_factory=dict)
    names: dict[Key, str] = field(default_factory=dict)


def study_options() -> tuple[Option, ...]:
    """Return the options for every field of `Study`, grouped by panel."""
    options = [option for name, each in Study.model_fields.items() for option in _options(name, each)]
    return tuple(sorted(options, key=lambda option: PANELS.index(option.panel)))


def grid_options() -> tuple[Option, ...]:
    """Return the options of a grid: as `study_options`, with lists for the fields that make up its rows."""
    lists = {"train_on": "all", "tags": "", "algorithm": ""}
    options = []
    for option in study_options():
        if option.field in lists:
            text = f"{option.help}; several separated by commas"
            option = replace(option, help=text, default=lists[option.field] or option.default)
        elif option.field == "name":
            option = replace(option, help="prefix of the names of the studies")
        options.append(option)
    return tuple(options)


def job_options() -> tuple[Option, ...]:
    """Return the options for the settings of every backend; settings with several values have none."""
    from hpo.cluster.backends import BACKENDS

    return tuple(
        option
        for backend, place in BACKENDS.items()
        for name, each in place.settings.model_fields.items()
        for option in _options(name, each, f"With --backend {backend}")
        if option.kind is not list
    )


def _options(name: str, info: FieldInfo, panel: str = "") -> Iterator[Option]:
    """Yield the option of a field, and one for each of its shorthands."""
    metadata: Mapping[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    panel = panel or metadata["panel"]
    default = metadata.get("default_text") or format_default(info.get_default(call_default_factory=True))
    flag = metadata.get("flag", name).replace("_", "-")
    kind = _kind(info.annotation)
    metavar = metadata.get("metavar", METAVARS[kind])
    yield Option(name, flag, kind, info.description or name, default, panel, metavar)
    for key in metadata.get("shorthands", ()):
        inner = TrainingConfig.model_fields[key]
        text = f"{inner.description}; same as --{flag} {key}=…"
        kind = _kind(inner.annotation)
        default = "that of the space"
        yield Option(name, key.replace("_", "-"), kind, text, default, panel, METAVARS[kind], key)


def _kind(annotation: Any) -> type:
    """Return the type that an option has for a field annotation; an optional type counts as itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _kind(next(each for each in get_args(annotation) if each is not type(None)))
    if origin is tuple:
        return list
    if origin is dict:
        return dict
    return annotation if annotation in (bool, int, float) else str


def format_default(value: Any) -> str:
    """Return a default as the user would type it; empty if nothing is set."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None or value == {} or not isinstance(value, str | int | float) else str(value)


def _scalar(text: str) -> Any:
    """Return a value as a YAML file would hold it: 3 is a number, true a truth value, ``a`` a string."""
    try:
        value = parse_yaml(text, Path("value")).data
    except UserError:
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def accepts(parameter: str, options: Sequence[Option]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds options to a command, which gets them as ``parameter``: GivenOptions."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(command, include_extras=True)
        parameters = [
            each.replace(annotation=hints[each.name])
            for each in inspect.signature(command).parameters.values()
            if each.name != parameter
        ]
        parameters += [option.parameter for option in options]

        @wraps(command)
        def with_options(*args: Any, **values: Any) -> Any:
            typed = [(option, values.pop(option.argument)) for option in options]
            return command(*args, **values, **{parameter: collect(typed)})

        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {each.name: each.annotation for each in parameters}
        return with_options

    return decorate


def collect(typed: Sequence[tuple[Option, Any]]) -> GivenOptions:
    """Return the options that were given; an option with an empty value counts as not given.

    Raises
    ------
    UserError
        If a value cannot be read.
    """
    given = GivenOptions()
    for option, text in typed:
        if option.kind is not dict and not option.key:
            given.names[(option.field,)] = option.flag
        if text is None or text == "" or (isinstance(text, list) and not any(text)):
            continue
        value = {option.key: option.parse(text)} if option.key else option.parse(text)
        if isinstance(value, dict):
            flags = {key: option.flag if option.key else f"{option.flag} {key}" for key in value}
            given.names.update({(option.field, key): flag for key, flag in flags.items()})
            value = given.fields.get(option.field, {}) | value
        given.fields[option.field] = value
    return given
