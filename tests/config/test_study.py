"""Studies: defaults, limits, rules between fields, and round trips through YAML."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.algorithms import ALGORITHMS
from hpo.config.search_space import load_space
from hpo.config.study import Study, build_study, default_name, load_study, stored_study
from hpo.errors import UserError
from hpo.storage.atomic import write_text
from hpo.storage.study_folder import StudyFolder

SPACE = {"parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}}}


def refused(options):
    with pytest.raises(UserError) as caught:
        build_study(options)
    return str(caught.value)


def write(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_build_study_without_options_is_the_demo():
    study = build_study({})
    assert study.name == "demo-suc-original-cased-asha"
    assert study.space == load_space("demo")
    assert (study.data, study.model, study.algorithm, study.seed) == ("demo", "tiny", "asha", 42)


def test_build_study_pretrained_model_defaults_to_space_suc():
    assert build_study({"model": "some/model"}).space == load_space("suc")
    assert build_study({"model": "some/model", "space": "demo"}).space == load_space("demo")


def test_study_fields_have_descriptions():
    assert all(field.description for name, field in Study.model_fields.items())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trials", 0), ("trials", -1), ("trials", 2.5), ("trials", "many"), ("seed", -1), ("seed", 2**32),
        ("grace_epochs", 0), ("reduction_factor", 1), ("keep_checkpoints", 0), ("dev_fraction", 0),
        ("dev_fraction", 1), ("dev_fraction", float("nan")), ("workers", 0), ("gpus_per_trial", -1),
        ("gpus_per_trial", 1.5), ("train_splits", []), ("train_splits", ["validation"]),
        ("subsample", {"train": 0}),
        ("subsample", {"all": 0.5}), ("data", ""), ("tags", ""), ("model", ""), ("algorithm", "ASHA"),
        ("train_on", "lower"), ("sampler", "bohb"), ("fixed", {"epochs": 0}), ("space", 5),
        ("name", "../x"), ("name", "a b"), ("name", ".."), ("name", "x\n"), ("name", "/x"),
    ],
)  # fmt: skip
def test_build_study_invalid_value_is_rejected_at_its_field(field, value):
    assert refused({field: value}).startswith(field)


@pytest.mark.parametrize(
    ("field", "known"), [("algorithm", ", ".join(ALGORITHMS)), ("sampler", "optuna, hyperopt")]
)
def test_build_study_unknown_name_is_rejected_with_the_known_ones(field, known):
    assert refused({field: "nope"}) == f"{field}: must be one of {known} (got 'nope')"


def test_build_study_reports_every_issue():
    issues = refused({"trials": 0, "seed": -1, "train_on": "lower", "trails": 5}).splitlines()
    assert {issue.split(": ")[0] for issue in issues} == {"trials", "seed", "train_on", "trails"}


def test_build_study_searched_and_fixed_hyperparameter_is_rejected():
    assert refused({"space": SPACE, "fixed": {"learning_rate": 1e-4}}) == (
        "fixed.learning_rate: is searched by the space"
    )


@pytest.mark.parametrize("algorithm", [name for name, each in ALGORITHMS.items() if each.sampler])
def test_build_study_sampler_for_algorithm_with_own_sampler_is_rejected(algorithm):
    assert refused({"algorithm": algorithm, "sampler": "hyperopt"}).startswith("sampler: is not an option of")
    build_study({"algorithm": algorithm})


def test_build_study_epochs_below_grace_epochs_are_rejected():
    assert refused({"space": SPACE, "fixed": {"epochs": 2}, "grace_epochs": 3}) == (
        "grace_epochs: must be at most epochs = 2 (got 3)"
    )
    build_study({"space": SPACE, "fixed": {"epochs": 3}, "grace_epochs": 3})
    build_study({"space": SPACE, "fixed": {"epochs": 2}, "grace_epochs": 3, "algorithm": "random"})


def test_training_config_precedence_is_trial_then_study_then_space():
    space = SPACE | {"fixed": {"epochs": 7, "batch_size": 8, "weight_decay": 0.3}}
    training_config = build_study({"space": space, "fixed": {"epochs": 3}}).training_config(
        {"learning_rate": 2e-4}
    )
    assert (training_config.epochs, training_config.batch_size, training_config.learning_rate) == (3, 8, 2e-4)
    assert training_config.hidden_dropout == 0.1, "the default of the training configuration"


def test_max_epochs_is_the_largest_possible_value():
    searched = {"parameters": {"epochs": {"type": "int", "low": 2, "high": 6}}}
    chosen = {"parameters": {"epochs": {"type": "choice", "values": [9, 4]}}}
    assert build_study({"space": searched}).max_epochs == 6
    assert build_study({"space": chosen}).max_epochs == 9
    assert build_study({"space": SPACE, "fixed": {"epochs": 11}}).max_epochs == 11
    assert build_study({"space": SPACE}).max_epochs == 5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model": "a/b", "data": "corpora/åbo", "workers": 3, "gpus_per_trial": 0.25},
        {"subsample": {"train": 0.1}, "train_splits": ["train", "dev"], "fixed": {"precision": "off"}},
        {"space": {"parameters": {"lr_schedule": {"type": "choice", "values": ["linear", "constant"]}}}},
        {"space": {"parameters": {"epochs": {"type": "int", "low": 1, "high": 1e1}}}, "name": "1e-5"},
    ],
)
def test_to_yaml_loads_equal(options, tmp_path):
    study = build_study(options)
    assert load_study(write(tmp_path, study.to_yaml())) == study


def test_gpus_per_trial_fraction_above_one_is_rejected():
    for gpus in (0, 0.1, 1, 4.0):
        assert build_study({"gpus_per_trial": gpus}).gpus_per_trial == gpus
    assert refused({"gpus_per_trial": 1.5}) == (
        "gpus_per_trial: must be a fraction below 1 or a whole number (got 1.5)"
    )


def test_fingerprint_ignores_runtime_only_fields():
    study = build_study({})
    other = build_study({"name": "other", "workers": 3, "gpus_per_trial": 0.5})
    assert study.fingerprint == other.fingerprint
    for field, value in {
        "trials": 51,
        "seed": 1,
        "keep_checkpoints": 4,
        "sampler": "hyperopt",
        "fixed": {"max_length": 64},
    }.items():
        assert build_study({field: value}).fingerprint != study.fingerprint, field


def test_load_study_reports_every_issue_at_its_line(tmp_path):
    path = write(
        tmp_path,
        "name: x\n"
        "trails: 5\n"
        "trials: 0\n"
        "space:\n"
        "  parameters:\n"
        "    learning_rate: {type: loguniform, low: 0, high: 1}\n"
        "    weight_decay:\n"
        "      type: uniform\n"
        "      low: 0.2\n"
        "      hgih: 0.1\n",
    )
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert sorted(issue.location for issue in caught.value.issues) == [f"{path}:{n}" for n in (10, 2, 3, 6)]


def test_load_study_issues_of_fixed_values_have_their_lines(tmp_path):
    path = write(tmp_path, "name: x\nfixed:\n  epochs: 0\n  lr: 1\n  learning_rate: 1e-4\n")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert [issue.location for issue in caught.value.issues] == [f"{path}:{n}" for n in (3, 4, 5)]
    assert "known: learning_rate, weight_decay" in caught.value.issues[1].hint


def test_load_study_overrides_win_over_the_file(tmp_path):
    path = write(tmp_path, "trials: 7\nseed: 1\nalgorithm: random\n")
    study = load_study(path, {"trials": 9})
    assert (study.trials, study.seed, study.algorithm) == (9, 1, "random")


def test_load_study_override_of_fixed_keeps_other_fixed_values(tmp_path):
    path = write(tmp_path, "fixed: {epochs: 4, precision: 'off'}\n")
    assert load_study(path, {"fixed": {"epochs": 2}}).fixed == {"epochs": 2, "precision": "off"}


def test_stored_study_has_the_name_of_its_folder(tmp_path):
    folder = StudyFolder("renamed", tmp_path)
    with pytest.raises(UserError, match="study renamed: no study of this name under results/"):
        stored_study(folder)
    write_text(folder.study, build_study({"name": "first"}).to_yaml())
    assert stored_study(folder) == build_study({"name": "renamed"})


@given(st.text(max_size=150), st.text(max_size=150), st.text(max_size=150))
def test_default_name_any_settings_is_valid(data, tags, model):
    name = default_name({"data": data, "tags": tags, "model": model})
    assert StudyFolder(name, Path("x")).name == name


def test_default_name_omits_paths_and_defaults():
    options = {"data": "/home/me/my corpus/", "tags": "tags/mine.yaml", "model": "KB/bert-base-swedish-cased"}
    assert default_name(options) == "my-corpus-mine-cased-bert-base-swedish-cased-asha"
    assert default_name({"sampler": "hyperopt"}) == "demo-suc-original-cased-asha-hyperopt"


@pytest.mark.parametrize("hyperparameter, values", [("max_length", [64, 128]), ("context", [0, 64])])
def test_build_study_range_for_encoding_hyperparameter_is_rejected(hyperparameter, values):
    choice = {"parameters": {hyperparameter: {"type": "choice", "values": values}}}
    assert build_study({"space": choice}).space.parameters[hyperparameter].ends == tuple(values)
    within = {"parameters": {hyperparameter: {"type": "int", "low": values[0], "high": values[1]}}}
    assert (
        f"{hyperparameter}: must have type choice, because the corpus is encoded once for each value"
    ) in refused({"space": within})
    assert f"{hyperparameter}: cannot be searched by pbt" in refused({"space": choice, "algorithm": "pbt"})


SEARCHED_RANK = {"parameters": {"lora_r": {"type": "choice", "values": [0, 8]}}}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"space": SPACE, "fixed": {"lora_alpha": 32}}, "fixed.lora_alpha"),
        ({"space": SPACE | {"fixed": {"lora_targets": "key"}}}, "space.fixed.lora_targets"),
        ({"space": SPACE, "fixed": {"lora_alpha": 32, "lora_r": 0}}, "fixed.lora_alpha"),
        (
            {"space": {"parameters": {"lora_dropout": {"type": "uniform", "low": 0, "high": 0.5}}}},
            "space.parameters.lora_dropout",
        ),
    ],
)
def test_build_study_lora_hyperparameter_without_lora_is_rejected(options, where):
    assert refused(options) == f"{where}: has no effect: it needs lora_r of at least 1"


def test_build_study_lora_hyperparameter_with_lora_is_accepted():
    build_study({"space": SPACE, "fixed": {"lora_alpha": 32, "lora_r": 8}})
    build_study({"space": SEARCHED_RANK, "fixed": {"lora_alpha": 32}})


def test_build_study_label_alignment_all_with_pooling_is_rejected():
    both = {"space": SPACE, "fixed": {"label_alignment": "all", "pooling": "mean"}}
    assert "fixed.label_alignment: label_alignment all has no effect with pooling mean" in refused(both)
    build_study({"space": SPACE, "fixed": {"label_alignment": "all", "pooling": "first"}})
    build_study({"space": SPACE, "fixed": {"label_alignment": "first", "pooling": "mean"}})


def test_load_study_reports_issues_of_a_named_space_and_of_fields(tmp_path):
    space = tmp_path / "mine.yaml"
    space.write_text("parameters:\n  epochs: {type: int, low: 0, high: 3}\nfixed:\n  batch_size: 0\n")
    path = write(
        tmp_path,
        f"space: {space}\nseed: -1\nseeds: 5\npopulation_size: 9\ntrials: 5\nalgorithm: pbt\n"
        "grace_epochs: true\n",
    )
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert sorted(issue.location for issue in caught.value.issues) == sorted(
        [f"{space}:2", f"{space}:4", f"{path}:2", f"{path}:3", f"{path}:4", f"{path}:7"]
    )


def test_build_study_reports_issues_between_fields_beside_invalid_fields():
    issues = refused(
        {
            "trials": 0, "algorithm": "random", "sampler": "hyperopt", "space": SPACE, "seeds": 2,
            "fixed": {"batch_size": 0, "lora_alpha": 8, "learning_rate": 1e-4},
        }
    ).splitlines()  # fmt: skip
    assert [issue.split(": ")[0] for issue in issues] == [
        "trials", "fixed.batch_size", "fixed.learning_rate", "fixed.lora_alpha", "sampler",
    ]  # fmt: skip


def test_build_study_invalid_fields_cause_no_further_issues():
    issues = refused({"fixed": {"lr_schedule": "exponentail", "lr_gamma": 0.5}, "space": SPACE}).splitlines()
    assert [issue.split(": ")[0] for issue in issues] == ["fixed.lr_schedule"]
