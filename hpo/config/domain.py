"""The domain of one searched hyperparameter: a range with a scale, or a list of values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from hpo.storage.yaml_files import FieldIssue, ValidationIssues


class Domain(BaseModel):
    """The values that a search may give to one hyperparameter."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: Literal["loguniform", "uniform", "int", "choice"]
    low: float | None = None
    high: float | None = None
    values: tuple[bool | int | float | str, ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Domain:
        if issues := list(self._issues()):
            raise ValidationIssues(issues)
        return self

    def _issues(self) -> Iterator[FieldIssue]:
        if self.type == "choice":
            for name in ("low", "high"):
                if (value := getattr(self, name)) is not None:
                    yield FieldIssue((name,), "is not allowed for a choice", value, "use values")
            if not self.values:
                yield FieldIssue((), "a choice needs a list of values")
            elif len(set(self.values)) < len(self.values):
                yield FieldIssue(("values",), "must be distinct", list(self.values))
            return
        if self.values is not None:
            yield FieldIssue(("values",), f"is not allowed for {self.type}", None, "use low and high")
        if self.low is None or self.high is None:
            yield FieldIssue((), f"{self.type} needs low and high")
            return
        if not self.low < self.high:
            yield FieldIssue(("low",), f"must be less than high = {self.high:g}", self.low)
        if self.type == "loguniform" and self.low <= 0:
            yield FieldIssue(("low",), "must be greater than 0 on a logarithmic scale", self.low)
        if self.type == "int":
            for name, value in (("low", self.low), ("high", self.high)):
                if not value.is_integer():
                    yield FieldIssue((name,), "must be a whole number", value)

    @property
    def is_continuous(self) -> bool:
        """Whether every real number of a range is a value."""
        return self.type in ("uniform", "loguniform")

    @property
    def ends(self) -> tuple[Any, ...]:
        """All values of a choice, or both ends of a range."""
        if self.values is not None:
            return self.values
        return tuple(map(self.convert, (self.low, self.high)))

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values that a grid tries: all of a choice, or the ends and the middle of a range."""
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
        """Return a value of a range as a Python number: int for whole numbers, else float."""
        return round(value) if self.type == "int" else float(value)

    def clip(self, value: float) -> float:
        """Return the nearest number of a range."""
        low, high = self.bounds
        return min(high, max(low, value))

    def contains(self, value: Any) -> bool:
        """Return whether a value belongs to the domain."""
        if self.values is not None:
            return value in self.values
        low, high = self.bounds
        whole = self.type != "int" or (isinstance(value, int) and not isinstance(value, bool))
        return isinstance(value, int | float) and whole and low <= value <= high

    def nearest(self, value: Any) -> Any:
        """Return the value of the domain that is nearest to one that may be outside.

        If there is no nearest value, as among words, return the first value, or low.
        """
        if self.contains(value):
            return value
        if self.values is None:
            low, _ = self.bounds
            return self.convert(self.clip(float(value) if isinstance(value, int | float) else low))
        numbers = [each for each in self.values if isinstance(each, int | float)]
        if numbers and isinstance(value, int | float):
            return min(numbers, key=lambda each: abs(each - value))
        return self.values[0]

    def to_unit(self, value: float) -> float:
        """Map a value of a range to [0, 1] on the scale of the range.

        Whole numbers are the middles of equal bins: 1, 2 and 3 of 1 to 3 map to 1/6, 3/6 and 5/6.
        """
        low, high = self.bounds
        if self.type == "int":
            return (value - low + 0.5) / (high - low + 1)
        if self.type == "loguniform":
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def from_unit(self, coordinate: float) -> Any:
        """Map a coordinate in [0, 1] to the value of a range; the inverse of `to_unit`."""
        low, high = self.bounds
        if self.type == "int":
            return int(min(high, low + math.floor(coordinate * (high - low + 1))))
        if self.type == "loguniform":
            return self.clip(low * (high / low) ** coordinate)
        return self.clip(low + coordinate * (high - low))
