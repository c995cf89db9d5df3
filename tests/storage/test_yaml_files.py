"""YAML 1.2 scalars, and issues with their lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpo.errors import UserError
from hpo.storage.yaml_files import (
    FieldIssue,
    ValidationIssues,
    YamlFile,
    dump_yaml,
    parse_yaml,
    read_yaml,
    validate,
)

FILE = Path("file.yaml")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    low: float
    high: float


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    count: int = Field(1, ge=1)
    ranges: dict[str, Inner] = {}
    items: list[Inner] = []

    @model_validator(mode="after")
    def _orderly(self):
        rules = [
            FieldIssue(("ranges", name, "low"), "is too high")
            for name, each in self.ranges.items()
            if each.low > 9
        ]
        if rules:
            raise ValidationIssues(rules)
        return self


def refused(text, model=Outer):
    with pytest.raises(UserError) as caught:
        validate(model, parse_yaml(text, FILE))
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5), ("3E4", 3e4), ("-2e+3", -2e3), ("5.0e-05", 5e-5), (".5", 0.5), ("5.", 5.0),
        ("7", 7), ("-7", -7),
        ("010", 10), ("0o17", 15), ("0x1F", 31), ("12:30", "12:30"), ("1_0", "1_0"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("NO", "NO"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("Yes", "Yes"),
        ("2024-01-02", "2024-01-02"), ("e5", "e5"), ("1e", "1e"), ("'1e-5'", "1e-5"), ("B-PER", "B-PER"),
    ],
)  # fmt: skip
def test_parse_yaml_scalars_follow_yaml_1_2(text, value):
    found = parse_yaml(f"key: {text}\n", FILE).data["key"]
    assert found == value
    assert type(found) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_parse_yaml_float_repr_is_same_float(number):
    found = parse_yaml(f"key: {number!r}", FILE).data["key"]
    assert type(found) is float
    assert found == number


LOOKALIKES = st.sampled_from(
    ["1e-5", "NO", "true", "5.", ".5", "null", "1:30", "0x1F", "0o17", "089", "2024-01-02", "=", "-"]
)
PLAIN = st.text(alphabet="ab01.:e+- #'\"{}[],&*!|>%@~Åß\n\t", max_size=8)


@given(LOOKALIKES | PLAIN | st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none())
def test_dump_yaml_output_parses_to_same_value(value):
    assert repr(parse_yaml(dump_yaml({"key": value}), FILE).data) == repr({"key": value})


def test_parse_yaml_duplicate_keys_raise_at_each_line():
    with pytest.raises(UserError) as caught:
        parse_yaml("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", FILE)
    assert [str(issue) for issue in caught.value.issues] == [
        "file.yaml:4: duplicate key (got 'c')",
        "file.yaml:5: duplicate key (got 'a')",
    ]


def test_parse_yaml_same_key_in_two_mappings_is_valid():
    assert parse_yaml("a: {c: 1}\nb: {c: 2}\n", FILE).data == {"a": {"c": 1}, "b": {"c": 2}}


def test_validate_issues_have_their_lines():
    text = (
        "name: x\ncount: 0\nranges:\n  one:\n    low: a\n    high: 2\n  two: {low: 1}\n"
        "items:\n- {low: 1, high: 2}\n- 5\n"
    )
    assert [issue.split(": ")[:2] for issue in refused(text)] == [
        ["file.yaml:2", "count"],
        ["file.yaml:5", "ranges.one.low"],
        ["file.yaml:7", "ranges.two.high"],
        ["file.yaml:10", "items.1"],
    ]


def test_validate_unknown_key_raises_with_known_keys():
    assert refused("name: x\ncuont: 3\n") == [
        "file.yaml:2: cuont: unknown key (known: name, count, ranges, items)"
    ]


def test_validate_missing_key_raises_at_parent_line():
    assert refused("count: 1\n") == ["file.yaml:1: name: is required"]
    assert refused("name: x\n\nitems:\n- low: 1\n") == ["file.yaml:4: items.0.high: is required"]


def test_validate_validation_issues_have_their_lines():
    text = (
        "name: x\nranges:\n  a: {low: 10, high: 11}\n  b: {low: 1, high: 2}\n  c:\n    high: 3\n    low: 12\n"
    )
    assert refused(text) == [
        "file.yaml:3: ranges.a.low: is too high",
        "file.yaml:7: ranges.c.low: is too high",
    ]


def test_location_in_nested_lists_has_line():
    document = parse_yaml("a:\n- - 1\n  - 2\n- - 3\n", FILE)
    assert document.location(("a", 0, 1)) == "file.yaml:3"
    assert document.location(("a", 1, 0)) == "file.yaml:4"
    assert document.location(("a", 1, 0, "deeper")) == "file.yaml:4"


def test_validate_data_without_text_has_location_without_line():
    with pytest.raises(UserError, match=r"^options: count: "):
        validate(Outer, YamlFile(Path("options"), {"name": "x", "count": 0}, {}))


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words\n", "5\n"])
def test_validate_other_than_mapping_raises(text):
    (issue,) = refused(text)
    assert "must be a mapping of keys to values" in issue


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1, 2\nb: 3\n", 2), ("a: 1\nb: 'open\n", 3), ("a: 1\n\tb: 2\n", 2), ("a: 1\n---\nb: 2\n", 2),
     ("a: 1\nb: !!python/object:os.system {}\n", 2), ("a: *nowhere\n", 1), ("a: 1\n? [b]\n: 2\n", 2)],
)  # fmt: skip
def test_parse_yaml_invalid_text_raises_with_line(text, line):
    with pytest.raises(UserError, match=rf"^file\.yaml:{line}: is not valid YAML"):
        parse_yaml(text, FILE)


@pytest.mark.parametrize("text", ["a: &loop [*loop]\n", "[" * 5000, "a: \0\n"])
def test_parse_yaml_hostile_text_raises(text):
    with pytest.raises(UserError, match=r"^file\.yaml: "):
        parse_yaml(text, FILE)


@given(st.text(alphabet="ab:-[]{}&*!?|>'\"#%@, \n\t01.", max_size=40))
def test_parse_yaml_any_text_parses_or_raises_user_error(text):
    try:
        parse_yaml(text, FILE)
    except UserError as error:
        assert all(issue.location.startswith("file.yaml") for issue in error.issues)


def test_read_yaml_unreadable_file_raises(tmp_path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: Malmö\n".encode("latin-1"))
    for path, rule in [
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "cannot be read as UTF-8 text"),
        (latin, "cannot be read as UTF-8 text"),
    ]:
        with pytest.raises(UserError) as caught:
            read_yaml(path)
        assert str(caught.value).startswith(f"{path}: {rule}")


def test_read_yaml_removes_byte_order_mark(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_text("name: x\n", encoding="utf-8-sig")
    assert read_yaml(path).data == {"name": "x"}


@pytest.mark.parametrize("text", ["!!int abc", "!!timestamp x", "!!bool maybe", "9" * 5000])
def test_parse_yaml_text_that_does_not_fit_tag_raises_with_line(text):
    with pytest.raises(UserError, match=r"^file\.yaml:2: is not valid YAML"):
        parse_yaml(f"a: 1\nb: {text}\n", FILE)


def test_validate_boolean_for_number_raises():
    text = (
        "name: x\ncount: true\nranges:\n  a:\n    low: false\n    high: 1\nitems:\n- {low: 0, high: true}\n"
    )
    assert refused(text) == [
        "file.yaml:2: count: must be a number (got True)",
        "file.yaml:5: ranges.a.low: must be a number (got False)",
        "file.yaml:8: items.0.high: must be a number (got True)",
    ]
