"""Search spaces: which hyperparameters are searched, over which domains, and which are fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from hpo.config.domain import Domain
from hpo.config.renamed_keys import HYPERPARAMETERS, SEARCH_SPACE_KEYS
from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import Possible, broken_rules, unread_hyperparameters
from hpo.errors import Issue
from hpo.storage.presets import find_preset
from hpo.storage.yaml_files import FieldIssue, Key, ValidationIssues, field_issues, read_yaml, validate

Params = dict[str, Any]
"""One value for each searched hyperparameter."""

MAX_LISTED_VALUES = 8
"""The most values of a choice for which a report lists the best model of each value."""


class Space(BaseModel):
    """What a study searches (``parameters``), sets (``fixed``) and tries first (``points_to_evaluate``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    renamed_keys: ClassVar[Mapping[str, str]] = SEARCH_SPACE_KEYS

    parameters: dict[str, Domain] = Field(min_length=1)
    fixed: Params = {}
    points_to_evaluate: tuple[Params, ...] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _all_issues(cls, data: Any, handler: ModelWrapValidatorHandler[Space]) -> Space:
        """Check the valid entries against each other even if other entries are invalid."""
        space = None
        issues: list[FieldIssue | Issue] = []
        try:
            space = handler(data)
            issues += _cross_issues(space.parameters, space.fixed, space.points_to_evaluate, frozenset())
        except ValidationError as error:
            issues += field_issues(error, cls)
            issues += _issues_of_valid_entries(data)
        if issues or space is None:
            raise ValidationIssues(issues)
        return space

    @property
    def defaults(self) -> Params:
        """The searched hyperparameters at their defaults, or at the nearest value of the domain."""
        fields = TrainingConfig.model_fields
        return {name: domain.nearest(fields[name].default) for name, domain in self.parameters.items()}

    @property
    def few_valued(self) -> dict[str, tuple[Any, ...]]:
        """The choices with so few values that a report lists the best model of each value."""
        return {
            name: domain.values
            for name, domain in self.parameters.items()
            if domain.values is not None and len(domain.values) <= MAX_LISTED_VALUES
        }

    def possible(self, fixed: Params) -> Possible:
        """Return the values that each hyperparameter can take if these are fixed."""
        return _possible(self.parameters, fixed)


def _possible(parameters: Mapping[str, Domain], fixed: Params) -> Possible:
    values = {name: (field.default,) for name, field in TrainingConfig.model_fields.items()}
    values |= {name: (value,) for name, value in fixed.items()}
    return values | {name: domain.ends for name, domain in parameters.items()}


def _issues_of_valid_entries(data: Any) -> Iterator[FieldIssue]:
    """Yield the issues between the entries of a space that are valid by themselves."""
    parts = data if isinstance(data, dict) else {}
    fixed, parameters = (
        part if isinstance(part, dict) else {} for part in (parts.get("fixed"), parts.get("parameters"))
    )
    points = parts.get("points_to_evaluate")
    points = [each for each in points if isinstance(each, dict)] if isinstance(points, list) else []
    domains = {name: domain for name, each in parameters.items() if (domain := _domain_or_none(each))}
    yield from _cross_issues(domains, fixed, points, frozenset(parameters) - set(domains))


def _domain_or_none(data: Any) -> Domain | None:
    try:
        return Domain.model_validate(data)
    except ValidationError:
        return None


def _cross_issues(
    parameters: Mapping[str, Domain], fixed: Params, points: Sequence[Params], invalid: frozenset[str]
) -> Iterator[FieldIssue]:
    """Yield what is wrong with a space whose domains are valid; ``invalid`` names have no valid domain."""
    known = TrainingConfig.model_fields
    found = [_unknown(("parameters", name)) for name in (*parameters, *invalid) if name not in known]
    found += [
        FieldIssue(("fixed", name), "is both searched and fixed")
        for name in fixed
        if name in parameters or name in invalid
    ]
    found += value_issues(fixed, ("fixed",))
    found += _domain_issues(parameters)
    yield from found
    wrong = invalid.union(str(issue.key[1]) for issue in found)
    for index, point in enumerate(points):
        yield from _point_issues(parameters, point, ("points_to_evaluate", index), invalid)
    keys: dict[str, Key] = {name: ("fixed", name) for name in fixed}
    keys |= {name: ("parameters", name) for name in parameters}
    usable = {name: key for name, key in keys.items() if name not in wrong}
    possible = {name: each for name, each in _possible(parameters, fixed).items() if name not in wrong}
    yield from combination_issues(possible, usable)
    for name, message in unread_hyperparameters(usable, possible):
        yield FieldIssue(usable[name], message)


def _domain_issues(parameters: Mapping[str, Domain]) -> Iterator[FieldIssue]:
    for name, domain in parameters.items():
        if name not in TrainingConfig.model_fields:
            continue
        if domain.is_continuous and TrainingConfig.model_fields[name].annotation is int:
            message = "must have type int or choice, because it takes whole numbers"
            yield FieldIssue(("parameters", name), message, domain.type)
        for value in domain.ends:
            for issue in value_issues({name: value}):
                yield issue._replace(key=("parameters", name))


def _point_issues(
    parameters: Mapping[str, Domain], point: Params, key: Key, invalid: frozenset[str]
) -> Iterator[FieldIssue]:
    for name, value in point.items():
        if name in invalid:
            continue
        if name in HYPERPARAMETERS:
            yield _unknown((*key, name))
        elif name not in parameters:
            yield FieldIssue((*key, name), "is not searched")
        elif not parameters[name].contains(value):
            yield FieldIssue((*key, name), "is outside of the domain", value)
    for name in parameters:
        if name not in point and name not in invalid:
            yield FieldIssue((*key, name), "has no value")


def combination_issues(possible: Possible, keys: Mapping[str, Key]) -> Iterator[FieldIssue]:
    """Yield the rules that a combination of values breaks, at the key of a hyperparameter that is set."""
    for names, message in broken_rules(possible):
        yield FieldIssue(next((keys[name] for name in names if name in keys), ()), message)


def value_issues(hyperparameters: Params, key: Key = ()) -> Iterator[FieldIssue]:
    """Yield the hyperparameters that do not exist, and the values that are invalid by themselves.

    ``key`` is where the hyperparameters are set. `combination_issues` checks them together.
    """
    try:
        TrainingConfig.model_validate(hyperparameters)
    except ValidationError as error:
        for issue in field_issues(error, TrainingConfig):
            if isinstance(issue, FieldIssue) and issue.key:
                unknown = issue.key[0] not in TrainingConfig.model_fields
                yield _unknown((*key, *issue.key)) if unknown else issue._replace(key=(*key, *issue.key))


def _unknown(key: Key) -> FieldIssue:
    new = HYPERPARAMETERS.get(str(key[-1]))
    hint = f"renamed; use {new}" if new else f"known: {', '.join(TrainingConfig.model_fields)}"
    return FieldIssue(key, "unknown hyperparameter", None, hint)


def load_space(name: str) -> Space:
    """Load a space of ``search_spaces/`` by its name, or a YAML file by its path.

    Raises
    ------
    UserError
        If the file is invalid; with every problem, located at its line.
    """
    return validate(Space, read_yaml(find_preset("search_spaces", name)))
