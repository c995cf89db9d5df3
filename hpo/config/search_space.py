"""Search spaces: which hyperparameters of the training configuration are searched, over what, and which
are fixed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import Possible, joint_issues, unread_hyperparameters
from hpo.storage.presets import find_preset
from hpo.storage.yaml_files import (
    Key,
    ValidationIssues,
    read_yaml,
    validate,
)

Params = dict[str, Any]
"""One value for each searched hyperparameter."""

_UNKNOWN_HYPERPARAMETER = (
    f"no training configuration has such a hyperparameter (known: {', '.join(TrainingConfig.model_fields)})"
)


class Parameter(BaseModel):
    """The domain of one searched hyperparameter: a range, or a list of values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: Literal["loguniform", "uniform", "int", "choice"]
    low: float | None = None
    high: float | None = None
    values: tuple[bool | int | float | str, ...] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Parameter:
        if self.type == "choice":
            if self.low is not None or self.high is not None:
                raise ValueError("a choice has values, not low and high")
            if not self.values:
                raise ValueError("a choice needs a list of values")
            if len(set(self.values)) < len(self.values):
                raise ValueError("the values of a choice must differ")
            return self
        if self.values is not None or self.low is None or self.high is None:
            raise ValueError(f"{self.type} needs low and high, and no values")
        if not self.low < self.high:
            raise ValueError(f"low must be under high, and {self.low} is not under {self.high}")
        if self.type == "loguniform" and self.low <= 0:
            raise ValueError(f"low must be over 0 on a logarithmic scale, and is {self.low}")
        if self.type == "int" and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"low and high must be whole numbers, and are {self.low} and {self.high}")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every value of a choice, or both ends of a range."""
        if self.values is not None:
            return self.values
        return tuple(map(self.convert, (self.low, self.high)))

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values that a grid takes: all of a choice, or the ends and the middle of a range."""
        if self.values is not None:
            return self.values
        low, high = self.bounds
        middle = math.sqrt(low * high) if self.type == "loguniform" else (low + high) / 2
        return tuple(dict.fromkeys(map(self.convert, (low, middle, high))))

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high of a range."""
        assert self.low is not None and self.high is not None, "a choice has no bounds"
        return self.low, self.high

    def convert(self, value: Any) -> Any:
        """A value of the range as plain Python: whole numbers as int, others as float."""
        return round(value) if self.type == "int" else float(value)

    def contains(self, value: Any) -> bool:
        """Whether a value may be tried."""
        if self.values is not None:
            return value in self.values
        low, high = self.bounds
        whole = self.type != "int" or (isinstance(value, int) and not isinstance(value, bool))
        return isinstance(value, int | float) and whole and low <= value <= high

    def nearest(self, value: Any) -> Any:
        """The value of the domain that is nearest to one that may lie outside.

        Of a range that is one of its ends; where nothing is near, as between words, the first value, or low.
        """
        if self.contains(value):
            return value
        if self.values is None:
            low, high = self.bounds
            return self.convert(min(high, max(low, float(value) if isinstance(value, int | float) else low)))
        numbers = [each for each in self.values if isinstance(each, int | float)]
        if numbers and isinstance(value, int | float):
            return min(numbers, key=lambda each: abs(each - value))
        return self.values[0]


MOST_VALUES = 8
"""Of a hyperparameter, for each of them to be shown by itself."""


class Space(BaseModel):
    """What a study searches over (``parameters``), sets (``fixed``) and tries first
    (``points_to_evaluate``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: dict[str, Parameter] = Field(min_length=1)
    fixed: Params = {}
    points_to_evaluate: tuple[Params, ...] = ()

    @field_validator("parameters", "fixed")
    @classmethod
    def _names_knobs(cls, named: dict[str, Any]) -> dict[str, Any]:
        strange = [name for name in named if name not in TrainingConfig.model_fields]
        if strange:
            raise ValidationIssues(((name,), _UNKNOWN_HYPERPARAMETER) for name in strange)
        return named

    @property
    def defaults(self) -> Params:
        """The searched hyperparameters at the training configuration's defaults, or at what the domain has
        nearest to them."""
        fields = TrainingConfig.model_fields
        return {name: domain.nearest(fields[name].default) for name, domain in self.parameters.items()}

    @property
    def few_valued(self) -> dict[str, tuple[Any, ...]]:
        """The choices among so few values that each can be shown, with its best model's scores."""
        return {
            name: domain.values
            for name, domain in self.parameters.items()
            if domain.values is not None and len(domain.values) <= MOST_VALUES
        }

    @model_validator(mode="after")
    def _fits_the_training_config(self) -> Space:
        issues = list(self._issues())
        if issues:
            raise ValidationIssues(issues)
        return self

    def _issues(self) -> Iterator[tuple[Key, str]]:
        for name in self.fixed:
            if name in self.parameters:
                yield ("fixed", name), "is both searched and fixed"
        yield from config_issues(self.fixed, ("fixed",))
        for name, parameter in self.parameters.items():
            if (
                parameter.type in ("uniform", "loguniform")
                and TrainingConfig.model_fields[name].annotation is int
            ):
                yield ("parameters", name), "takes whole numbers, so its type must be int or choice"
            for value in parameter.ends:
                for _, rule in config_issues({name: value}):
                    yield ("parameters", name), rule
        for number, guess in enumerate(self.points_to_evaluate):
            for name, value in guess.items():
                if name not in self.parameters:
                    yield ("points_to_evaluate", number, name), "is not searched"
                elif not self.parameters[name].contains(value):
                    yield ("points_to_evaluate", number, name), f"{value!r} is outside what is searched"
            for name in self.parameters:
                if name not in guess:
                    yield ("points_to_evaluate", number, name), "has no value"

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Space:
        places: dict[str, Key] = {name: ("fixed", name) for name in self.fixed}
        places |= {name: ("parameters", name) for name in self.parameters}
        possible = self.possible(self.fixed)
        issues = list(combination_issues(possible, places))
        issues += [(places[name], rule) for name, rule in unread_hyperparameters(places, possible)]
        if issues:
            raise ValidationIssues(issues)
        return self

    def possible(self, fixed: Params) -> Possible:
        """The values that each hyperparameter of the training configuration may come to have where these
        are fixed."""
        values = {name: (field.default,) for name, field in TrainingConfig.model_fields.items()}
        values |= {name: (value,) for name, value in fixed.items()}
        return values | {name: domain.ends for name, domain in self.parameters.items()}


def combination_issues(possible: Possible, places: dict[str, Key]) -> Iterator[tuple[Key, str]]:
    """What the training configuration has against some combination of values, each under the key of a
    hyperparameter that is set."""
    for names, rule in joint_issues(possible):
        yield next((places[name] for name in names if name in places), ()), rule


def config_issues(hyperparameters: Params, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """What the training configuration has against some hyperparameters' values, each under the key that
    the hyperparameters stand at.

    Each value is looked at by itself; of what they are together `combination_issues` tells.
    """
    try:
        TrainingConfig.model_validate(hyperparameters)
    except ValidationError as error:
        for problem in error.errors():
            if not problem["loc"]:
                continue
            unknown = problem["type"] == "extra_forbidden"
            rule = _UNKNOWN_HYPERPARAMETER if unknown else f"{problem['msg']}, and is {problem['input']!r}"
            yield (*key, *problem["loc"]), rule


def load_space(name: str) -> Space:
    """A space of ``search_spaces/``, by its name or as a path to a YAML file.

    Raises
    ------
    UserError
        with every problem of the file, each at its line.
    """
    return validate(Space, read_yaml(find_preset("search_spaces", name)))
