"""The study file: defaults, limits, what fits together, and the way back to YAML."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.algorithms import ALGORITHMS
from hpo.config.search_space import load_space
from hpo.config.study import (
    Study,
    build_study,
    default_name,
    load_study,
    stored_study,
)
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


def test_nothing_given_is_the_demo():
    study = build_study({})
    assert study.name == "demo-suc-original-cased-asha"
    assert study.space == load_space("demo")
    assert (study.data, study.model, study.algorithm, study.seed) == ("demo", "tiny", "asha", 42)


def test_a_pretrained_model_takes_the_space_for_pretrained_models():
    assert build_study({"model": "some/model"}).space == load_space("suc")
    assert build_study({"model": "some/model", "space": "demo"}).space == load_space("demo")


def test_every_field_has_a_description_for_the_reader_of_a_study_file():
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
def test_a_value_outside_its_limits_is_refused_by_the_name_of_its_field(field, value):
    assert refused({field: value}).startswith(field)


@pytest.mark.parametrize(
    ("field", "known"), [("algorithm", ", ".join(ALGORITHMS)), ("sampler", "optuna, hyperopt")]
)
def test_an_unknown_name_is_refused_with_the_known_ones(field, known):
    assert refused({field: "nope"}) == f"{field}: must be one of {known} (got 'nope')"


def test_every_fault_of_the_options_is_told_at_once():
    issues = refused({"trials": 0, "seed": -1, "train_on": "lower", "trails": 5}).splitlines()
    assert {issue.split(": ")[0] for issue in issues} == {"trials", "seed", "train_on", "trails"}


def test_a_knob_both_searched_and_fixed_is_refused():
    assert refused({"space": SPACE, "fixed": {"learning_rate": 1e-4}}) == (
        "fixed.learning_rate: is searched by the space"
    )


@pytest.mark.parametrize("algorithm", [name for name, each in ALGORITHMS.items() if each.sampler])
def test_an_algorithm_that_chooses_for_itself_takes_no_searcher(algorithm):
    assert "takes no sampler" in refused({"algorithm": algorithm, "sampler": "hyperopt"})
    build_study({"algorithm": algorithm})


def test_a_search_that_stops_trials_needs_as_many_epochs_as_its_grace():
    assert "must not be under grace_epochs" in refused(
        {"space": SPACE, "fixed": {"epochs": 2}, "grace_epochs": 3}
    )
    build_study({"space": SPACE, "fixed": {"epochs": 3}, "grace_epochs": 3})
    build_study({"space": SPACE, "fixed": {"epochs": 2}, "grace_epochs": 3, "algorithm": "random"})


def test_a_recipe_is_the_spaces_knobs_then_the_studys_then_the_trials():
    space = SPACE | {"fixed": {"epochs": 7, "batch_size": 8, "weight_decay": 0.3}}
    training_config = build_study({"space": space, "fixed": {"epochs": 3}}).training_config(
        {"learning_rate": 2e-4}
    )
    assert (training_config.epochs, training_config.batch_size, training_config.learning_rate) == (3, 8, 2e-4)
    assert training_config.hidden_dropout == 0.1, "the training configuration's own default"


def test_most_epochs_are_those_searched_or_those_fixed_or_the_default():
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
def test_a_study_written_out_reads_back_equal(options, tmp_path):
    study = build_study(options)
    assert load_study(write(tmp_path, study.to_yaml())) == study


def test_a_trial_takes_a_share_of_a_gpu_or_so_many_or_none():
    for gpus in (0, 0.1, 1, 4.0):
        assert build_study({"gpus_per_trial": gpus}).gpus_per_trial == gpus
    assert refused({"gpus_per_trial": 1.5}) == (
        "gpus_per_trial: must be a share below 1, or a whole number of GPUs (got 1.5)"
    )


def test_how_a_study_is_run_is_no_part_of_what_it_looks_for():
    study = build_study({})
    other = build_study({"name": "other", "workers": 3, "gpus_per_trial": 0.5})
    assert study.identity == other.identity
    for field, value in {
        "trials": 51,
        "seed": 1,
        "keep_checkpoints": 4,
        "sampler": "hyperopt",
        "fixed": {"max_length": 64},
    }.items():
        assert build_study({field: value}).identity != study.identity, field


def test_a_file_tells_every_fault_at_its_line(tmp_path):
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


def test_the_faults_of_fixed_knobs_stand_at_their_lines(tmp_path):
    path = write(tmp_path, "name: x\nfixed:\n  epochs: 0\n  lr: 1\n  learning_rate: 1e-4\n")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert [issue.location for issue in caught.value.issues] == [f"{path}:{n}" for n in (3, 4, 5)]
    assert "known: learning_rate, weight_decay" in caught.value.issues[1].message


def test_options_win_over_the_file(tmp_path):
    path = write(tmp_path, "trials: 7\nseed: 1\nalgorithm: random\n")
    study = load_study(path, {"trials": 9})
    assert (study.trials, study.seed, study.algorithm) == (9, 1, "random")


def test_an_option_for_one_knob_leaves_the_files_other_knobs(tmp_path):
    path = write(tmp_path, "fixed: {epochs: 4, precision: 'off'}\n")
    assert load_study(path, {"fixed": {"epochs": 2}}).fixed == {"epochs": 2, "precision": "off"}


def test_a_stored_study_goes_by_the_name_of_its_folder(tmp_path):
    folder = StudyFolder("renamed", tmp_path)
    with pytest.raises(UserError, match="study renamed: is not under results/"):
        stored_study(folder)
    write_text(folder.study, build_study({"name": "first"}).to_yaml())
    assert stored_study(folder) == build_study({"name": "renamed"})


@given(st.text(max_size=150), st.text(max_size=150), st.text(max_size=150))
def test_any_settings_have_a_name_that_is_valid(data, tags, model):
    name = default_name({"data": data, "tags": tags, "model": model})
    assert StudyFolder(name, Path("x")).name == name


def test_a_name_says_what_differs_and_no_paths():
    options = {"data": "/home/me/my corpus/", "tags": "tags/mine.yaml", "model": "KB/bert-base-swedish-cased"}
    assert default_name(options) == "my-corpus-mine-cased-bert-base-swedish-cased-asha"
    assert default_name({"sampler": "hyperopt"}) == "demo-suc-original-cased-asha-hyperopt"


@pytest.mark.parametrize("hyperparameter, values", [("max_length", [64, 128]), ("context", [0, 64])])
def test_what_decides_the_encoding_is_searched_by_single_values_alone(hyperparameter, values):
    choice = {"parameters": {hyperparameter: {"type": "choice", "values": values}}}
    assert build_study({"space": choice}).space.parameters[hyperparameter].ends == tuple(values)
    within = {"parameters": {hyperparameter: {"type": "int", "low": values[0], "high": values[1]}}}
    assert f"{hyperparameter} decides how the corpus is encoded, once for each value" in refused(
        {"space": within}
    )
    assert f"{hyperparameter}: cannot change on the way" in refused({"space": choice, "algorithm": "pbt"})


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
def test_a_knob_of_lora_without_lora_is_refused(options, where):
    assert refused(options) == f"{where}: would not be read: it needs lora_r over 0"


def test_a_knob_of_lora_with_lora_is_taken():
    build_study({"space": SPACE, "fixed": {"lora_alpha": 32, "lora_r": 8}})
    build_study({"space": SEARCHED_RANK, "fixed": {"lora_alpha": 32}})


def test_labels_on_all_subtokens_and_a_pooling_of_them_are_refused():
    both = {"space": SPACE, "fixed": {"label_alignment": "all", "pooling": "mean"}}
    assert "fixed.label_alignment: label_alignment all does nothing with pooling mean" in refused(both)
    build_study({"space": SPACE, "fixed": {"label_alignment": "all", "pooling": "first"}})
    build_study({"space": SPACE, "fixed": {"label_alignment": "first", "pooling": "mean"}})
