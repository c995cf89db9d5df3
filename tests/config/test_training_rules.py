"""Invalid combinations of hyperparameters are rejected by name, wherever they are set."""

import pytest
from pydantic import ValidationError

from hpo.config.algorithms import ALGORITHMS, CHANGEABLE
from hpo.config.search_space import Space
from hpo.config.study import build_study
from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import NEEDS, RULES, broken_rules, unread_hyperparameters
from hpo.errors import UserError

RATE = {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-3}}
WRONG = [
    ({"warmup_ratio": 0.1, "warmup_steps": 5}, "set at most one of warmup_ratio"),
    ({"warmup_epochs": 1, "warmup_steps": 5}, "set at most one of warmup_ratio"),
    ({"warmup_epochs": 6.5}, r"warmup_epochs \(6.5\) must be at most epochs \(5\)"),
    (
        {"lr_schedule": "hybrid"},
        r"cooldown_epochs \(7\) plus warmup_epochs \(0\) must be at most epochs \(5\)",
    ),
    (
        {"lr_schedule": "hybrid", "cooldown_epochs": 3, "warmup_epochs": 2.5},
        r"cooldown_epochs \(3\) plus warmup_epochs \(2.5\) must be at most epochs",
    ),
    (
        {"lr_schedule": "hybrid", "cooldown_epochs": 2, "patience": 3},
        r"patience \(3\) must be 0 with lr_schedule hybrid",
    ),
    ({"lr_schedule": "adaptive"}, "patience must be at least 1"),
    ({"label_alignment": "all", "pooling": "mean"}, "label_alignment all has no effect with pooling mean"),
    ({"accumulation_steps": 33}, r"accumulation_steps \(33\) must be at most batch_size \(32\)"),
]
wrong = pytest.mark.parametrize(("hyperparameters", "rule"), WRONG, ids=str)


def choices(hyperparameters):
    return {name: {"type": "choice", "values": [value]} for name, value in hyperparameters.items()}


def refused(**options):
    with pytest.raises(UserError) as caught:
        build_study(options)
    return [(issue.location, issue.message) for issue in caught.value.issues]


@wrong
def test_training_config_invalid_combination_is_rejected(hyperparameters, rule):
    with pytest.raises(ValidationError, match=rule):
        TrainingConfig(**hyperparameters)


@wrong
def test_space_invalid_combination_is_rejected(hyperparameters, rule):
    with pytest.raises(ValidationError, match=rule):
        Space(parameters=RATE, fixed=hyperparameters)
    with pytest.raises(ValidationError, match=rule):
        Space(parameters=RATE | choices(hyperparameters))


@wrong
def test_study_invalid_combination_with_its_space_is_rejected(hyperparameters, rule):
    import re

    *first, last = hyperparameters
    space = {"parameters": RATE, "fixed": {name: hyperparameters[name] for name in first}}
    try:
        Space(**space)
    except ValidationError:  # by what the first ones are already
        return
    ((where, text),) = refused(space=space, fixed={last: hyperparameters[last]})
    assert re.search(rule, text)
    assert where.startswith(("fixed.", "space.fixed."))


def test_every_rule_has_a_case():
    defaults = {name: (field.default,) for name, field in TrainingConfig.model_fields.items()}
    broken = {
        names
        for hyperparameters, _ in WRONG
        for names, _ in broken_rules(defaults | {name: (value,) for name, value in hyperparameters.items()})
    }
    assert broken == {rule.hyperparameters for rule in RULES}
    assert list(broken_rules(defaults)) == []
    assert {name for rule in RULES for name in rule.hyperparameters} <= set(TrainingConfig.model_fields)


def test_space_one_invalid_combination_is_enough_to_reject():
    searched = {"type": "choice", "values": ["linear", "adaptive"]}
    with pytest.raises(ValidationError, match="patience must be at least 1"):
        Space(parameters={"lr_schedule": searched, "patience": {"type": "int", "low": 0, "high": 3}})
    Space(parameters={"lr_schedule": searched, "patience": {"type": "int", "low": 1, "high": 3}})


@pytest.mark.parametrize("hyperparameter", NEEDS)
def test_hyperparameter_without_effect_is_rejected(hyperparameter):
    field = TrainingConfig.model_fields[hyperparameter]
    assert field.default is not None
    with pytest.raises(ValidationError, match=f"has no effect: it needs {NEEDS[hyperparameter].words}"):
        Space(parameters=RATE, fixed={hyperparameter: field.default})
    (issue,) = refused(fixed={hyperparameter: field.default})
    assert issue == (
        f"fixed.{hyperparameter}",
        f"has no effect: it needs {NEEDS[hyperparameter].words}",
    )


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"lr_gamma": 0.8, "lr_schedule": "exponential"},
        {"lr_cycles": 2, "lr_schedule": "cosine_with_restarts"},
        {"cooldown_epochs": 2, "lr_schedule": "hybrid"},
        {"cooldown_restarts": False, "cooldown_epochs": 2, "lr_schedule": "adaptive", "patience": 1},
        {"early_stopping_metric": "loss", "min_delta": 0.1, "patience": 1},
        {"effective_beta": 0.99, "class_weighting": "effective"},
    ],
    ids=str,
)
def test_hyperparameter_with_effect_is_accepted(hyperparameters):
    Space(parameters=RATE, fixed=hyperparameters)
    assert build_study({"space": {"parameters": RATE}, "fixed": hyperparameters}).training_config(
        {}
    ).model_fields_set >= set(hyperparameters)


def test_hyperparameter_with_effect_in_some_trials_is_accepted():
    parameters = {
        "lr_schedule": {"type": "choice", "values": ["linear", "exponential"]},
        "lr_gamma": {"type": "uniform", "low": 0.5, "high": 0.9},
    }
    Space(parameters=parameters)
    study = build_study({"space": {"parameters": parameters}})
    assert study.training_config({"lr_schedule": "linear", "lr_gamma": 0.6}).lr_gamma == 0.6


def test_study_may_override_the_lr_schedule_of_its_space():
    space = {"parameters": RATE, "fixed": {"lr_schedule": "exponential", "lr_gamma": 0.8}}
    assert (
        build_study({"space": space, "fixed": {"lr_schedule": "linear"}}).training_config({}).lr_schedule
        == "linear"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_patience_is_rejected_for_synchronous_algorithms(algorithm):
    options = {"space": {"parameters": RATE}, "fixed": {"patience": 2}, "algorithm": algorithm}
    if algorithm in ("asha", "random", "grid"):
        build_study(options)
    else:
        ((where, rule),) = refused(**options)
        assert where == "fixed.patience"
        assert rule.startswith(f"must be 0 for {algorithm}")


def test_changeable_excludes_parameter_group_hyperparameters():
    assert set(CHANGEABLE) <= set(TrainingConfig.model_fields)
    assert not set(CHANGEABLE) & {"frozen_layers", "layerwise_decay", "head_lr_multiplier", "patience"}


@pytest.mark.parametrize("hyperparameter", ["gradient_checkpointing", "cooldown_restarts"])
def test_boolean_hyperparameter_accepts_only_booleans(hyperparameter):
    assert getattr(TrainingConfig(**{hyperparameter: True}), hyperparameter) is True
    assert getattr(TrainingConfig(**{hyperparameter: False}), hyperparameter) is False
    for value in (1, 0, "true", "on", None):
        with pytest.raises(ValidationError):
            TrainingConfig(**{hyperparameter: value})
    searched = {"type": "choice", "values": [True, False]}
    schedule = {"lr_schedule": "adaptive", "patience": 1}
    assert Space(parameters={hyperparameter: searched}, fixed=schedule).parameters[hyperparameter].ends == (
        True,
        False,
    )
    with pytest.raises(ValidationError):
        Space(parameters={hyperparameter: {"type": "int", "low": 0, "high": 1}}, fixed=schedule)


def test_unread_hyperparameters_returns_only_given_names():
    possible = {"lr_schedule": ("linear",), "patience": (0, 2)}
    assert [
        name for name, _ in unread_hyperparameters(["lr_gamma", "min_delta", "batch_size"], possible)
    ] == ["lr_gamma"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("epochs", "whole number"),
        ("learning_rate", "number"),
        ("warmup_ratio", "number"),
        ("evals_per_epoch", "whole number"),
    ],
)
def test_number_given_as_text_is_rejected(name, kind):
    assert refused(fixed={name: "1"}, space={"parameters": {"batch_size": choices({"x": 16})["x"]}}) == [
        (f"fixed.{name}", f"must be a {kind}")
    ]
