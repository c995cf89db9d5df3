"""Renamed keys: rejected with a hint in new input, translated in results of earlier versions."""

import json

import pytest

from hpo.config.renamed_keys import HYPERPARAMETERS, SEARCH_SPACE_KEYS, STUDY_KEYS
from hpo.config.search_space import Space, load_space
from hpo.config.study import Study, build_study, load_study, stored_study
from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.reporting.study_list import collect_rows, render_study, summarize_studies
from hpo.reporting.study_record import read_record
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.replay import read_schedule
from hpo.workflows.resolve import check_same_study

OLD_STUDY = """\
name: old
data: demo
tags: conll
train_on: cased
model: tiny
algorithm: pbt
objective: trained-on
searcher: optuna
trials: 3
seed: 1
baseline: false
space:
  parameters:
    gamma: {type: uniform, low: 0.5, high: 1.0}
    learning_rate: {type: loguniform, low: 0.0001, high: 0.01}
  fixed: {schedule: exponential, epochs: 2}
  first_guesses:
  - {gamma: 0.9, learning_rate: 0.001}
fixed: {weight_decay: 0.1}
population: 2
perturb_every: 1.0
keep: 2
dev_share: 0.2
prune: {train: 0.5}
"""
MEASUREMENT = {
    "epoch": 1.0, "step": 10, "f1": 0.5, "precision": 0.5, "recall": 0.5, "loss": 0.2, "train_loss": 0.3,
    "seconds": 4.0,
}  # fmt: skip
OLD_JOURNAL = [
    {
        "trial": 0,
        "params": {"gamma": 0.8, "learning_rate": 0.002},
        "seed": 5,
        "state": "complete",
        "reason": "",
        "measurements": [MEASUREMENT],
        "changes": [
            {"epoch": 0.0, "params": {"gamma": 0.9, "learning_rate": 0.001}, "donor": None},
            {"epoch": 1.0, "params": {"gamma": 0.8, "learning_rate": 0.002}, "donor": 1},
        ],
    },
    {"trial": 1, "params": {"gamma": 0.7, "learning_rate": 0.003}, "seed": 6},
    {"trial": 1, "from": 1.0, "params": {"gamma": 0.6, "learning_rate": 0.003}, "donor": 0},
]
OLD_ROW = {
    "tag_family": "CoNLL",
    "trained_on": "cased",
    "algorithm": "PBT",
    "scores": {"dev": {"cased": 0.5}, "test": {"cased": 0.4}},
    "hyperparameters": {"schedule": "exponential", "gamma": 0.8, "learning_rate": 0.002},
    "study": "old",
}


@pytest.fixture
def old_results(empty_folder):
    """Write the results folder of a study of an earlier version."""
    folder = StudyFolder("old")
    for path in (folder.best / "1", folder.path):
        path.mkdir(parents=True, exist_ok=True)
    folder.study.write_text(OLD_STUDY)
    folder.trials.write_text("".join(json.dumps(line) + "\n" for line in OLD_JOURNAL))
    folder.matrix.write_text(json.dumps({"rows": [OLD_ROW]}))
    (folder.best / "1" / "scores.json").write_text(json.dumps(OLD_ROW))
    return folder


NEW_STUDY = {
    "name": "old", "data": "demo", "tags": "conll", "algorithm": "pbt", "trials": 3, "seed": 1,
    "baseline": False, "fixed": {"weight_decay": 0.1}, "population_size": 2, "keep_checkpoints": 2,
    "dev_fraction": 0.2, "subsample": {"train": 0.5}, "sampler": "optuna",
    "space": {
        "parameters": {
            "lr_gamma": {"type": "uniform", "low": 0.5, "high": 1.0},
            "learning_rate": {"type": "loguniform", "low": 0.0001, "high": 0.01},
        },
        "fixed": {"lr_schedule": "exponential", "epochs": 2},
        "points_to_evaluate": [{"lr_gamma": 0.9, "learning_rate": 0.001}],
    },
}  # fmt: skip


def test_new_names_exist_and_old_names_do_not():
    for model, names in ((Study, STUDY_KEYS), (Space, SEARCH_SPACE_KEYS), (TrainingConfig, HYPERPARAMETERS)):
        assert model.renamed_keys is names
        assert set(names.values()) <= set(model.model_fields)
        assert not set(names) & set(model.model_fields)


def test_stored_study_with_old_keys_equals_the_study_with_new_keys(old_results):
    study = build_study(NEW_STUDY)
    assert stored_study(old_results).fingerprint == study.fingerprint
    assert list(stored_study(old_results).space.parameters) == ["lr_gamma", "learning_rate"]
    check_same_study(study, old_results)


def test_check_same_study_reports_difference_from_a_study_with_old_keys(old_results):
    with pytest.raises(UserError) as caught:
        check_same_study(build_study(NEW_STUDY | {"keep_checkpoints": 3}), old_results)
    (issue,) = caught.value.issues
    assert "keep_checkpoints" in str(issue)


def test_read_record_translates_journal_and_scores(old_results):
    record = read_record(old_results)
    first, second = record.trials
    assert first.params == {"lr_gamma": 0.8, "learning_rate": 0.002}
    assert [change.params["lr_gamma"] for change in first.changes] == [0.9, 0.8]
    assert second.params == {"lr_gamma": 0.6, "learning_rate": 0.003}
    assert record.row.hyperparameters == {
        "lr_schedule": "exponential", "lr_gamma": 0.8, "learning_rate": 0.002,
    }  # fmt: skip


def test_listing_and_matrix_read_a_study_with_old_keys(old_results):
    (summary,) = summarize_studies()
    assert (summary["study"], summary["algorithm"]) == ("old", "pbt")
    assert "lr gamma" in render_study("old", "lr_gamma")
    (row,) = collect_rows(["old"])
    assert row.hyperparameters["lr_schedule"] == "exponential"


def test_read_schedule_translates_old_names(old_results):
    old_results.schedule.write_text("- from_epoch: 0\n  params: {gamma: 0.9, learning_rate: 0.001}\n")
    (segment,) = read_schedule(old_results)
    assert segment.params == {"lr_gamma": 0.9, "learning_rate": 0.001}


def test_load_study_old_key_is_rejected_with_the_new_name(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("trials: 3\nseed: 1\nkeep: 5\nprune: {train: 0.5}\nfixed:\n  schedule: linear\n")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert {str(issue) for issue in caught.value.issues} == {
        f"{path}:3: keep: unknown key (renamed; use keep_checkpoints)",
        f"{path}:4: prune: unknown key (renamed; use subsample)",
        f"{path}:6: fixed.schedule: unknown hyperparameter (renamed; use lr_schedule)",
    }


def test_load_study_old_key_of_its_space_is_rejected_with_the_new_name(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(OLD_STUDY)
    with pytest.raises(UserError) as caught:
        load_study(path)
    found = {issue.message: issue.hint for issue in caught.value.issues}
    assert found["space.first_guesses: unknown key"] == "renamed; use points_to_evaluate"
    assert found["space.parameters.gamma: unknown hyperparameter"] == "renamed; use lr_gamma"
    assert found["space.fixed.schedule: unknown hyperparameter"] == "renamed; use lr_schedule"
    assert {f"{key}: unknown key" for key in STUDY_KEYS} <= set(found)


def test_load_space_old_key_is_rejected_with_the_new_name(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "parameters:\n  gamma: {type: uniform, low: 0.5, high: 1.0}\nfirst_guesses:\n- {gamma: 0.7}\n"
    )
    with pytest.raises(UserError) as caught:
        load_space(str(path))
    assert {str(issue) for issue in caught.value.issues} == {
        f"{path}:2: parameters.gamma: unknown hyperparameter (renamed; use lr_gamma)",
        f"{path}:3: first_guesses: unknown key (renamed; use points_to_evaluate)",
    }


def test_build_study_old_field_is_rejected_with_the_new_name():
    with pytest.raises(UserError) as caught:
        build_study({"searcher": "hyperopt"})
    assert str(caught.value) == "searcher: unknown key (renamed; use sampler)"
