"""Search spaces: invalid files are rejected with every issue, and the shipped ones are valid."""

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.domain import Domain
from hpo.config.search_space import Space, load_space
from hpo.config.study import build_study
from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.storage.yaml_files import dump_yaml

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SHIPPED = sorted((REPOSITORY / "search_spaces").rglob("*.yaml"))
RATE = {"type": "loguniform", "low": 1e-5, "high": 1e-3}


def refused(tmp_path, space):
    path = tmp_path / "space.yaml"
    path.write_text(dump_yaml(space))
    with pytest.raises(UserError) as caught:
        load_space(str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("domain", "rule"),
    [
        ({"type": "uniform", "low": 0.5, "high": 0.5}, "low: must be less than high = 0.5 (got 0.5)"),
        ({"type": "int", "low": 3, "high": 2}, "low: must be less than high = 2 (got 3.0)"),
        ({"type": "loguniform", "low": 0, "high": 1}, "low: must be greater than 0 on a logarithmic scale"),
        ({"type": "loguniform", "low": -1, "high": 1}, "low: must be greater than 0 on a logarithmic scale"),
        ({"type": "int", "low": 1.5, "high": 3}, "low: must be a whole number (got 1.5)"),
        ({"type": "uniform", "low": 0}, "uniform needs low and high"),
        ({"type": "uniform", "low": 0, "high": 1, "values": [0.5]}, "values: is not allowed for uniform"),
        ({"type": "uniform", "low": 0, "high": float("inf")}, "finite number"),
        ({"type": "uniform", "low": float("nan"), "high": 1}, "finite number"),
        ({"type": "choice"}, "a choice needs a list of values"),
        ({"type": "choice", "values": []}, "a choice needs a list of values"),
        ({"type": "choice", "values": [1, 2, 1]}, "values: must be distinct"),
        ({"type": "choice", "values": [1, 1.0]}, "values: must be distinct"),
        ({"type": "choice", "values": [1], "low": 0}, "low: is not allowed for a choice"),
        ({"type": "quniform", "low": 0, "high": 1}, "'loguniform', 'uniform', 'int' or 'choice'"),
        ({"type": "uniform", "low": 0, "high": 1, "q": 2}, "q: unknown key (known: type, low, high, values)"),
        ({"low": 0, "high": 1}, "type: is required"),
    ],
)
def test_load_space_invalid_domain_is_rejected(tmp_path, domain, rule):
    assert rule in refused(tmp_path, {"parameters": {"weight_decay": domain}})


@pytest.mark.parametrize("place", ["parameters", "fixed"])
def test_load_space_unknown_hyperparameter_is_rejected_with_the_known_ones(tmp_path, place):
    space = {"parameters": {"learning_rate": RATE}, "fixed": {}}
    space[place] |= {"lerning_rate": RATE if place == "parameters" else 1}
    assert (
        f"{place}.lerning_rate: unknown hyperparameter "
        f"(known: {', '.join(TrainingConfig.model_fields)})" in refused(tmp_path, space)
    )


def test_load_space_searched_and_fixed_hyperparameter_is_rejected(tmp_path):
    space = {"parameters": {"learning_rate": RATE}, "fixed": {"learning_rate": 1e-4}}
    assert "fixed.learning_rate: is both searched and fixed" in refused(tmp_path, space)


@pytest.mark.parametrize(
    ("hyperparameter", "domain"),
    [
        ("weight_decay", {"type": "uniform", "low": 0, "high": 1.5}),
        ("learning_rate", {"type": "uniform", "low": 0, "high": 0.1}),
        ("epochs", {"type": "int", "low": 0, "high": 3}),
        ("epochs", {"type": "uniform", "low": 1.5, "high": 3}),
        ("batch_size", {"type": "choice", "values": [16, 5000]}),
        ("lr_schedule", {"type": "choice", "values": ["linear", "sinus"]}),
        ("attention_dropout", {"type": "uniform", "low": 0, "high": 1}),
    ],
)
def test_load_space_domain_beyond_limits_is_rejected(tmp_path, hyperparameter, domain):
    assert f"space.yaml:2: parameters.{hyperparameter}: " in refused(
        tmp_path, {"parameters": {hyperparameter: domain}}
    )


def test_load_space_invalid_fixed_value_is_rejected(tmp_path):
    assert "fixed.epochs" in refused(
        tmp_path, {"parameters": {"learning_rate": RATE}, "fixed": {"epochs": 0}}
    )


def test_load_space_real_range_for_integer_hyperparameter_is_rejected(tmp_path):
    # Both ends of such a range are valid batch sizes, but most values between them are not.
    assert "parameters.batch_size" in refused(
        tmp_path, {"parameters": {"batch_size": {"type": "uniform", "low": 16, "high": 64}}}
    )


@pytest.mark.parametrize(
    ("point", "rule"),
    [
        ({"learning_rate": 1e-2, "batch_size": 16}, "learning_rate: is outside of the domain (got 0.01)"),
        ({"learning_rate": 1e-4, "batch_size": 8}, "batch_size: is outside of the domain (got 8)"),
        ({"learning_rate": 1e-4}, "batch_size: has no value"),
        ({"learning_rate": 1e-4, "batch_size": 16, "epochs": 3}, "epochs: is not searched"),
        ({"learning_rate": "1e-4", "batch_size": 16}, "learning_rate: is outside of the domain (got '1e-4')"),
        (
            {"learning_rate": float("nan"), "batch_size": 16},
            "learning_rate: is outside of the domain (got nan)",
        ),
    ],
)
def test_load_space_point_outside_of_the_domain_is_rejected(tmp_path, point, rule):
    parameters = {"learning_rate": RATE, "batch_size": {"type": "choice", "values": [16, 32]}}
    good = {"learning_rate": 1e-4, "batch_size": 32}
    assert f"points_to_evaluate.1.{rule}" in refused(
        tmp_path, {"parameters": parameters, "points_to_evaluate": [good, point]}
    )


def test_load_space_without_parameters_is_rejected(tmp_path):
    assert "parameters" in refused(tmp_path, {"parameters": {}})
    assert "parameters: is required" in refused(tmp_path, {"fixed": {"epochs": 3}})


def test_load_space_reports_every_issue(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "parameters:\n"
        "  weight_decay: {type: uniform, low: 0, high: 1.5}\n"
        "  epochs: {type: int, low: 0, high: 3}\n"
        "fixed:\n"
        "  batch_size: 0\n"
        "points_to_evaluate:\n"
        "- weight_decay: 7\n"
        "  epochs: 2\n"
    )
    with pytest.raises(UserError) as caught:
        load_space(str(path))
    assert sorted(issue.location for issue in caught.value.issues) == [f"{path}:{n}" for n in (2, 3, 5, 7)]


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.sampled_from(["loguniform", "uniform"]))
def test_levels_range_returns_ends_and_middle(a, b, kind):
    if a == b:
        return
    parameter = Domain(type=kind, low=min(a, b), high=max(a, b))
    assert all(parameter.contains(level) for level in (*parameter.levels, *parameter.ends))
    assert parameter.levels[0] == parameter.low
    assert parameter.levels[-1] == parameter.high


@given(st.integers(-50, 50), st.integers(1, 20))
def test_levels_int_range_returns_distinct_integers(low, width):
    parameter = Domain(type="int", low=low, high=low + width)
    assert [type(level) for level in parameter.levels] == [int] * len(set(parameter.levels))
    assert all(parameter.contains(level) for level in parameter.levels)


def test_domain_choice_keeps_values_and_types():
    values = ("linear", 1, 2.5, False)
    parameter = Domain(type="choice", values=values)
    assert [(value, type(value)) for value in parameter.values] == [(value, type(value)) for value in values]
    assert parameter.levels == values


def test_shipped_spaces_exist():
    assert {path.stem for path in SHIPPED} >= {"demo", "suc"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_space_header_has_purpose_and_command(path):
    text = path.read_text(encoding="utf-8")
    header = re.match(r"(#.*\n)+", text)
    assert header, "the file starts with a comment"
    commands = re.findall(r"^#\s+(make hpo .*)$", header[0], flags=re.MULTILINE)
    assert len(commands) == 1
    purpose = header[0].replace(commands[0], "").strip("# \n")
    assert len(purpose.split()) > 5
    fields = {"ALG": "algorithm", "STUDY": "name"}
    given = dict(word.split("=", 1) for word in shlex.split(commands[0])[2:])
    options = {fields.get(name, name.lower()): value for name, value in given.items()}
    assert build_study(options).space == load_space(str(path)), "the command searches this space"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_space_parameters_have_comments(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for name in load_space(str(path)).parameters:
        (line,) = [line for line in lines if line.startswith(f"  {name}:")]
        assert len(line.partition("#")[2].split()) > 3, line


def test_dumped_space_loads_equal(tmp_path):
    for shipped in SHIPPED:
        space = load_space(str(shipped))
        path = tmp_path / shipped.name
        path.write_text(dump_yaml(space.model_dump(mode="json", exclude_none=True)))
        assert load_space(str(path)) == space
        assert Space.model_validate_json(space.model_dump_json()) == space


def test_load_space_reports_issues_of_valid_entries_beside_invalid_ones(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "parameters:\n"
        "  weight_decay: {type: uniform, low: 1, high: 0}\n"
        "  lerning_rate: {type: uniform, low: 0, high: 1}\n"
        "  epochs: {type: choice, values: [2, 4]}\n"
        "fixed:\n"
        "  batch_size: 0\n"
        "  lr_gamma: 0.5\n"
        "  warmup_epochs: 3\n"
        "points_to_evaluate:\n"
        "- {weight_decay: 7, epochs: 3}\n"
        "trials: 3\n"
    )
    with pytest.raises(UserError) as caught:
        load_space(str(path))
    places = sorted(int(issue.location.rpartition(":")[2]) for issue in caught.value.issues)
    assert places == [2, 3, 6, 7, 8, 10, 10, 11]
