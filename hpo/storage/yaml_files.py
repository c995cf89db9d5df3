"""Parse YAML files with the line of every key, and validate them with pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpo.errors import Issue, UserError

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML file: plain data, and the line of every key and list item."""

    path: Path
    data: Any
    lines: dict[Key, int]
    names: Mapping[Key, str] = field(default_factory=dict)
    """The options or arguments that set values not read from the file, by key."""

    def location(self, key: Sequence[str | int] = ()) -> str:
        """Return ``file:line`` of a key, or of its nearest parent in the file.

        Data that was not parsed from text has no lines; its location is the path alone.
        """
        if not self.lines:
            return str(self.path)
        parts = tuple(key)
        while parts and parts not in self.lines:
            parts = parts[:-1]
        return f"{self.path}:{self.lines.get(parts, 1)}"

    def issue(self, key: Key, message: str, value: object = None, hint: str = "") -> Issue:
        """Return an issue with the value of a key, located at the option that set it or at its line."""
        for length in range(len(key), 0, -1):
            if name := self.names.get(key[:length]):
                if name.startswith("--"):
                    return Issue(name, _with_key(key[length:], message), value, hint)
                return Issue(".".join(map(str, (name, *key[length:]))), message, value, hint)
        return Issue(self.location(key), _with_key(key, message), value, hint)


class FieldIssue(NamedTuple):
    """One problem that a validator finds: an `Issue` located at a key inside the validated value."""

    key: Key
    message: str
    value: object = None
    hint: str = ""


class ValidationIssues(ValueError):
    """Every problem that one validator finds in a value; an `Issue` is a problem of another file."""

    def __init__(self, issues: Iterable[FieldIssue | Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("; ".join(map(_as_text, self.issues)))


_BOOL = ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_INT = ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_FLOAT = (
    "float",
    r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$",
    "-+0123456789.",
)
"""The scalars of YAML 1.2: tag, pattern, and the characters with which a match can begin."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2.

    YAML 1.1 reads ``1e-5`` as a string, ``NO`` and ``on`` as booleans, ``010`` as 8 and ``12:30`` as 750.
    Learning rates, language codes and entity types make all of these likely.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node; raise an error with its line if its text does not fit its tag."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            message = f"is not a valid {node.tag.rpartition(':')[2]}: {error}"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from None

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node))
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes strings that `_Loader` would read as numbers."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":int", ":float", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _first in (_BOOL, _INT, _FLOAT):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first))
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def dump_yaml(value: Any) -> str:
    """Format a value as YAML that `read_yaml` reads back unchanged."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML file.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8, is not valid YAML, or has duplicate keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(Issue(str(path), "no such file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(Issue(str(path), "cannot be read as UTF-8 text", str(error))) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """Parse a text as `read_yaml` parses a file; ``path`` is its name in errors."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        lines: dict[Key, int] = {}
        issues: list[Issue] = []
        _index(root, (), path, lines, issues)
        if issues:
            raise UserError(issues)
        return YamlFile(path, None if root is None else loader.construct_document(root), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(Issue(f"{path}:{line}", "is not valid YAML", error.problem)) from None
    except yaml.YAMLError as error:
        raise UserError(Issue(str(path), "is not valid YAML", str(error))) from None
    except RecursionError:
        raise UserError(Issue(str(path), "is nested too deeply, or contains itself")) from None


def _index(node: yaml.Node | None, key: Key, path: Path, lines: dict[Key, int], issues: list[Issue]) -> None:
    """Record the line of every key and list item below a node, and an issue for every duplicate key."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue  # the loader rejects it with its own message
            line = name.start_mark.line + 1
            if name.value in seen:
                issues.append(Issue(f"{path}:{line}", "duplicate key", name.value))
            seen.add(name.value)
            lines[(*key, name.value)] = line
            _index(value, (*key, name.value), path, lines, issues)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*key, index)] = item.start_mark.line + 1
            _index(item, (*key, index), path, lines, issues)


def validate(model: type[Model], file: YamlFile, **context: Any) -> Model:
    """Parse a model from a YAML file.

    Raises
    ------
    UserError
        If the data is invalid; the error lists every issue with its line. A boolean given for a number is
        an issue, although pydantic accepts it.
    """
    if not isinstance(file.data, dict):
        given = type(file.data).__name__
        raise UserError(Issue(file.location(), "must be a mapping of keys to values", given))
    issues: list[FieldIssue | Issue] = [*_booleans_as_numbers(file.data, model)]
    boolean_keys = [issue.key for issue in issues if isinstance(issue, FieldIssue)]
    parsed = None
    try:
        parsed = model.model_validate(file.data, context=context or None)
    except ValidationError as error:
        found = field_issues(error, model)
        issues += (issue for issue in found if getattr(issue, "key", None) not in boolean_keys)
    if issues or parsed is None:
        raise UserError(issue if isinstance(issue, Issue) else file.issue(*issue) for issue in issues)
    return parsed


def field_issues(error: ValidationError, model: type[BaseModel]) -> Iterator[FieldIssue | Issue]:
    """Convert pydantic's errors to issues of this program's wording."""
    for problem in error.errors():
        key, cause = problem["loc"], problem.get("ctx", {}).get("error")
        if isinstance(cause, ValidationIssues):
            for issue in cause.issues:
                yield issue if isinstance(issue, Issue) else issue._replace(key=(*key, *issue.key))
        elif problem["type"] == "extra_forbidden":
            yield FieldIssue(key, "unknown key", None, _hint_for_unknown(key, model))
        elif problem["type"] == "missing":
            yield FieldIssue(key, "is required")
        else:
            value = None if isinstance(problem["input"], dict) else problem["input"]
            yield FieldIssue(key, _message(problem), value)


_MESSAGES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type"), "must be a mapping of keys to values"),
}
"""Our words for pydantic's types of errors; ``{ge}`` and the like are limits of the field."""
_PYDANTIC_SUBJECT = re.compile(r"^(?:Input|String|Dictionary|Tuple|List|Value) should ")


def _message(problem: ErrorDetails) -> str:
    if template := _MESSAGES.get(problem["type"]):
        limits = problem.get("ctx", {}).items()
        return template.format(
            **{
                name: int(limit) if isinstance(limit, float) and limit.is_integer() else limit
                for name, limit in limits
            }
        )
    return _PYDANTIC_SUBJECT.sub("must ", problem["msg"].removeprefix("Value error, "))


def _hint_for_unknown(key: Key, model: type[BaseModel]) -> str:
    """Return the present name of a renamed key, or else the known keys of its mapping."""
    for option in _options(_annotation_at(model, key[:-1])):
        if isinstance(option, type) and issubclass(option, BaseModel):
            renamed: Mapping[Any, str] = getattr(option, "renamed_keys", {})
            if new := renamed.get(key[-1]):
                return f"renamed; use {new}"
            return f"known: {', '.join(option.model_fields)}"
    return ""


def _booleans_as_numbers(data: Any, annotation: Any, key: Key = ()) -> Iterator[FieldIssue]:
    """Yield the keys where pydantic reads ``true`` as 1 or ``false`` as 0, as it does outside strict mode."""
    if isinstance(data, bool):
        options = _options(annotation)
        if (int in options or float in options) and bool not in options:
            yield FieldIssue(key, "must be a number", data)
    elif isinstance(data, dict | list):
        for part, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _booleans_as_numbers(value, _annotation_at(annotation, (part,)), (*key, part))


def _annotation_at(annotation: Any, key: Key) -> Any:
    """Return the type annotation of the value at a key path, Any if there is none.

    For a model ``Space`` with a field ``parameters: dict[str, Domain]``, the annotation at
    ``("parameters", "epochs")`` is ``Domain``.
    """
    for part in key:
        annotation = next((member for each in _options(annotation) for member in _member(each, part)), Any)
    return annotation


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union, without ``Annotated``; a single type is its only alternative."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(option for each in get_args(annotation) for option in _options(each))
    return (annotation,)


def _member(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the type annotation of a model's field, of a dict's values, or of a sequence's items."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if part in annotation.model_fields:
            yield annotation.model_fields[str(part)].annotation
    elif isinstance(origin, type) and arguments:
        yield arguments[1] if issubclass(origin, Mapping) else arguments[0]


def _as_text(issue: FieldIssue | Issue) -> str:
    if isinstance(issue, Issue):
        return str(issue)
    return str(Issue(".".join(map(str, issue.key)), *issue[1:])).removeprefix(": ")


def _with_key(key: Key, message: str) -> str:
    return f"{'.'.join(map(str, key))}: {message}" if key else message
