"""Turns the fields of a dataclass into the options of a Typer command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints


def options_from(options: type[Any]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Return a decorator that gives a command one option per field, and the command one dataclass instance.

    Each field is annotated as Typer expects it: ``Annotated[type, typer.Option(help=...)]``.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(options)
    ]

    def decorate(command: Callable[[Any], None]) -> Callable[..., None]:
        def with_options(**values: Any) -> None:
            command(options(**values))

        with_options.__name__ = command.__name__
        with_options.__doc__ = command.__doc__
        with_options.__annotations__ = {each.name: each.annotation for each in parameters}
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return with_options

    return decorate
