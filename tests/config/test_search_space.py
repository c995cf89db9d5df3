"""Search spaces: what is refused, and that every shipped one is as the catalogue promises."""

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.search_space import Parameter, Space, load_space
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
        ({"type": "uniform", "low": 0.5, "high": 0.5}, "low must be under high"),
        ({"type": "int", "low": 3, "high": 2}, "low must be under high"),
        ({"type": "loguniform", "low": 0, "high": 1}, "low must be over 0 on a logarithmic scale"),
        ({"type": "loguniform", "low": -1, "high": 1}, "low must be over 0 on a logarithmic scale"),
        ({"type": "int", "low": 1.5, "high": 3}, "must be whole numbers"),
        ({"type": "uniform", "low": 0}, "uniform needs low and high"),
        ({"type": "uniform", "low": 0, "high": 1, "values": [0.5]}, "and no values"),
        ({"type": "uniform", "low": 0, "high": float("inf")}, "finite number"),
        ({"type": "uniform", "low": float("nan"), "high": 1}, "finite number"),
        ({"type": "choice"}, "a choice needs a list of values"),
        ({"type": "choice", "values": []}, "a choice needs a list of values"),
        ({"type": "choice", "values": [1, 2, 1]}, "must differ"),
        ({"type": "choice", "values": [1, 1.0]}, "must differ"),
        ({"type": "choice", "values": [1], "low": 0}, "a choice has values, not low and high"),
        ({"type": "quniform", "low": 0, "high": 1}, "'loguniform', 'uniform', 'int' or 'choice'"),
        ({"type": "uniform", "low": 0, "high": 1, "q": 2}, "unknown key"),
        ({"low": 0, "high": 1}, "type: Field required"),
    ],
)
def test_a_domain_that_makes_no_sense_is_refused(tmp_path, domain, rule):
    assert rule in refused(tmp_path, {"parameters": {"weight_decay": domain}})


@pytest.mark.parametrize("place", ["parameters", "fixed"])
def test_an_unknown_knob_is_refused_with_all_that_are_known(tmp_path, place):
    space = {"parameters": {"learning_rate": RATE}, "fixed": {}}
    space[place] |= {"lerning_rate": RATE if place == "parameters" else 1}
    assert (
        f"{place}.lerning_rate: no training configuration has such a hyperparameter "
        f"(known: {', '.join(TrainingConfig.model_fields)})" in refused(tmp_path, space)
    )


def test_a_knob_both_searched_and_fixed_is_refused(tmp_path):
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
def test_values_that_the_recipe_refuses_are_refused_before_any_trial(tmp_path, hyperparameter, domain):
    assert f"space.yaml:2: parameters.{hyperparameter}: " in refused(
        tmp_path, {"parameters": {hyperparameter: domain}}
    )


def test_a_fixed_value_that_the_recipe_refuses_is_refused(tmp_path):
    assert "fixed.epochs" in refused(
        tmp_path, {"parameters": {"learning_rate": RATE}, "fixed": {"epochs": 0}}
    )


def test_a_knob_of_whole_numbers_takes_only_whole_numbers(tmp_path):
    # Both ends of such a range pass the training configuration, and what lies between them does not.
    assert "parameters.batch_size" in refused(
        tmp_path, {"parameters": {"batch_size": {"type": "uniform", "low": 16, "high": 64}}}
    )


@pytest.mark.parametrize(
    ("guess", "rule"),
    [
        ({"learning_rate": 1e-2, "batch_size": 16}, "learning_rate: 0.01 is outside"),
        ({"learning_rate": 1e-4, "batch_size": 8}, "batch_size: 8 is outside"),
        ({"learning_rate": 1e-4}, "batch_size: has no value"),
        ({"learning_rate": 1e-4, "batch_size": 16, "epochs": 3}, "epochs: is not searched"),
        ({"learning_rate": "1e-4", "batch_size": 16}, "learning_rate: '1e-4' is outside"),
        ({"learning_rate": float("nan"), "batch_size": 16}, "learning_rate: nan is outside"),
    ],
)
def test_a_first_guess_must_lie_in_the_domain(tmp_path, guess, rule):
    parameters = {"learning_rate": RATE, "batch_size": {"type": "choice", "values": [16, 32]}}
    good = {"learning_rate": 1e-4, "batch_size": 32}
    assert f"points_to_evaluate.1.{rule}" in refused(
        tmp_path, {"parameters": parameters, "points_to_evaluate": [good, guess]}
    )


def test_a_space_that_searches_nothing_is_refused(tmp_path):
    assert "parameters" in refused(tmp_path, {"parameters": {}})
    assert "parameters: Field required" in refused(tmp_path, {"fixed": {"epochs": 3}})


def test_every_fault_is_told_at_once(tmp_path):
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
def test_the_levels_of_a_range_are_its_ends_and_what_lies_between(a, b, kind):
    if a == b:
        return
    parameter = Parameter(type=kind, low=min(a, b), high=max(a, b))
    assert all(parameter.contains(level) for level in (*parameter.levels, *parameter.ends))
    assert parameter.levels[0] == parameter.low
    assert parameter.levels[-1] == parameter.high


@given(st.integers(-50, 50), st.integers(1, 20))
def test_the_levels_of_whole_numbers_are_whole_and_differ(low, width):
    parameter = Parameter(type="int", low=low, high=low + width)
    assert [type(level) for level in parameter.levels] == [int] * len(set(parameter.levels))
    assert all(parameter.contains(level) for level in parameter.levels)


def test_a_choice_keeps_its_values_as_they_were_written():
    values = ("linear", 1, 2.5, False)
    parameter = Parameter(type="choice", values=values)
    assert [(value, type(value)) for value in parameter.values] == [(value, type(value)) for value in values]
    assert parameter.levels == values


def test_there_are_shipped_spaces():
    assert {path.stem for path in SHIPPED} >= {"demo", "suc"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_space_tells_its_purpose_and_its_exact_command(path):
    text = path.read_text(encoding="utf-8")
    header = re.match(r"(#.*\n)+", text)
    assert header, "it begins with a comment"
    commands = re.findall(r"^#\s+(make hpo .*)$", header[0], flags=re.MULTILINE)
    assert len(commands) == 1
    purpose = header[0].replace(commands[0], "").strip("# \n")
    assert len(purpose.split()) > 5
    fields = {"ALG": "algorithm", "STUDY": "name"}
    given = dict(word.split("=", 1) for word in shlex.split(commands[0])[2:])
    options = {fields.get(name, name.lower()): value for name, value in given.items()}
    assert build_study(options).space == load_space(str(path)), "the command searches this space"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_space_says_of_every_searched_knob_why(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for name in load_space(str(path)).parameters:
        (line,) = [line for line in lines if line.startswith(f"  {name}:")]
        assert len(line.partition("#")[2].split()) > 3, line


def test_a_space_written_out_reads_back_equal(tmp_path):
    for shipped in SHIPPED:
        space = load_space(str(shipped))
        path = tmp_path / shipped.name
        path.write_text(dump_yaml(space.model_dump(mode="json", exclude_none=True)))
        assert load_space(str(path)) == space
        assert Space.model_validate_json(space.model_dump_json()) == space
