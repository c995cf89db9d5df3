"""YAML files that know their own line numbers, and pydantic models read from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

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
    """What the user calls the values that do not come from the file: the options or arguments by key."""

    def location(self, key: Sequence[str | int] = ()) -> str:
        """``file:line`` of a key, or of its nearest parent that stands in the file.

        Data that were not read from a text have no lines, and the place is their name alone.
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
                    return Issue(name, _at(key[length:], message), value, hint)
                return Issue(".".join(map(str, (name, *key[length:]))), message, value, hint)
        return Issue(self.location(key), _at(key, message), value, hint)


class ValidationIssues(ValueError):
    """Several rules that a value breaks, for validators: each the key inside the value, and the rule."""

    def __init__(self, rules: Iterable[tuple[Key, str]]) -> None:
        self.rules = tuple(rules)
        super().__init__("; ".join(rule for _, rule in self.rules))


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2.

    YAML 1.1 reads ``1e-5`` as a string and ``NO`` or ``on`` as booleans, and both stand in the
    files of this field: a learning rate and a language or an entity type. It also reads ``010`` as 8,
    and ``12:30`` as 750.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; where the text is not what a tag like ``!!int`` says, a problem at its
        line."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            rule = f"is no {node.tag.rpartition(':')[2]}: {error}"
            raise yaml.constructor.ConstructorError(None, None, rule, node.start_mark) from None


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":int", ":float", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_INT = (
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    list("-+0123456789"),
)
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(*_INT)
_Loader.add_implicit_resolver(*_FLOAT)


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes a string that `_Loader`, too, would not read as a string."""


_Dumper.add_implicit_resolver(*_INT)
_Dumper.add_implicit_resolver(*_FLOAT)


def dump_yaml(value: Any) -> str:
    """YAML that `read_yaml` reads back as the same value."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML file.

    Raises
    ------
    UserError
        if the file is missing, is not UTF-8 or not YAML, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(Issue(str(path), "no such file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(Issue(str(path), "cannot be read as UTF-8 text", str(error))) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """As `read_yaml`, of a text that is already at hand."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        lines: dict[Key, int] = {}
        issues: list[Issue] = []
        if root is not None:
            _index(root, (), path, lines, issues)
        if issues:
            raise UserError(issues)
        return YamlFile(path, yaml.load(text, Loader=_Loader), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(Issue(f"{path}:{line}", "is not valid YAML", error.problem)) from None
    except yaml.YAMLError as error:
        raise UserError(Issue(str(path), "is not valid YAML", str(error))) from None
    except RecursionError:
        raise UserError(Issue(str(path), "is nested too deeply, or holds itself")) from None


def _index(node: yaml.Node, key: Key, path: Path, lines: dict[Key, int], issues: list[Issue]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue  # no key of ours; the loader has its own words for it
            line = name.start_mark.line + 1
            if name.value in seen:
                issues.append(Issue(f"{path}:{line}", "a key may stand only once", name.value))
            seen.add(name.value)
            lines[(*key, name.value)] = line
            _index(value, (*key, name.value), path, lines, issues)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            lines[(*key, place)] = item.start_mark.line + 1
            _index(item, (*key, place), path, lines, issues)


def validate(model: type[Model], document: YamlFile, **context: Any) -> Model:
    """Read a model out of a document.

    Raises
    ------
    UserError
        with every problem that the model finds, each at its line, and with each truth value for a number.
    """
    if not isinstance(document.data, dict):
        raise UserError(
            Issue(document.location(), "must be a mapping of keys to values", type(document.data).__name__)
        )
    try:
        read = model.model_validate(document.data, context=context or None)
    except ValidationError as error:
        raise UserError(issues_of(error, document, model)) from None
    issues = [
        document.issue(key, "must be a number", value)
        for key, value in _truths_as_numbers(document.data, read)
    ]
    if issues:
        raise UserError(issues)
    return read


def _truths_as_numbers(told: Any, read: Any, key: Key = ()) -> Iterator[tuple[Key, bool]]:
    """Where pydantic took ``true`` for 1 or ``false`` for 0, which it does wherever it is not strict."""
    if isinstance(told, bool):
        if isinstance(read, int | float) and not isinstance(read, bool):
            yield key, told
    elif isinstance(told, dict):
        for name, value in told.items():
            inner = read.get(name) if isinstance(read, dict) else getattr(read, str(name), None)
            yield from _truths_as_numbers(value, inner, (*key, name))
    elif isinstance(told, list) and isinstance(read, list | tuple):
        for place, (value, inner) in enumerate(zip(told, read, strict=False)):
            yield from _truths_as_numbers(value, inner, (*key, place))


def issues_of(error: ValidationError, document: YamlFile, model: type[BaseModel]) -> list[Issue]:
    """Pydantic's errors in the words of this project, each at its line."""
    issues = []
    for problem in error.errors():
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, ValidationIssues):
            places = [((*problem["loc"], *inside), rule) for inside, rule in cause.rules]
            issues += [document.issue(place, rule) for place, rule in places]
            continue
        rule = problem["msg"].removeprefix("Value error, ")
        hint = ""
        if problem["type"] == "extra_forbidden":
            rule = "unknown key"
            hint = f"known: {', '.join(model.model_fields)}" if len(problem["loc"]) == 1 else ""
        shown = (
            None if problem["type"] == "missing" or isinstance(problem["input"], dict) else problem["input"]
        )
        issues.append(document.issue(problem["loc"], rule, shown, hint))
    return issues


def _at(key: Key, rule: str) -> str:
    return f"{'.'.join(map(str, key))}: {rule}" if key else rule
