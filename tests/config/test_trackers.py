"""Tracker names of a study, and the error for trackers that are not installed."""

import pytest

from hpo.config import trackers as names
from hpo.config.study import build_study
from hpo.config.trackers import TRACKERS, refuse_absent, take_apart
from hpo.errors import UserError


@pytest.mark.parametrize(
    ("tracker", "parts"),
    [
        ("tensorboard", ("tensorboard", "")),
        ("mlflow:sqlite:///runs.db", ("mlflow", "sqlite:///runs.db")),
        ("wandb:my-project", ("wandb", "my-project")),
    ],
)
def test_a_target_stands_behind_a_colon(tracker, parts):
    assert take_apart(tracker) == parts


@pytest.mark.parametrize(
    ("trackers", "complaint"),
    [
        (["comet"], "must be among tensorboard, mlflow, wandb"),
        (["tensorboard:here"], "tensorboard takes nothing behind its name"),
        (["mlflow:"], "write a tracking URI behind the colon"),
        (["mlflow", "mlflow:sqlite:///a"], "a tracker may stand only once"),
    ],
)
def test_a_study_refuses_what_it_cannot_take(trackers, complaint):
    with pytest.raises(UserError, match=complaint):
        build_study({"trackers": trackers})


def test_trackers_are_no_part_of_what_a_study_looks_for():
    study, other = build_study({}), build_study({"trackers": []})
    assert study.trackers == ("tensorboard",)
    assert study.fingerprint == other.fingerprint


def test_a_tracker_that_is_not_installed_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda module: None if module == "wandb" else object())
    refuse_absent(["tensorboard", "mlflow"])
    with pytest.raises(UserError) as refused:
        refuse_absent(["tensorboard", "wandb:p"])
    assert str(refused.value) == (
        "trackers: is not installed (got 'wandb'; install it: .venv/bin/pip install -c constraints.txt "
        "-e '.[wandb]'; or take it out of the study's trackers)"
    )


def test_a_study_with_an_absent_tracker_is_refused_before_anything_is_written(monkeypatch, empty_folder):
    from rich.console import Console

    from hpo.workflows.run import run

    monkeypatch.setattr(names, "find_spec", lambda module: None)
    with pytest.raises(UserError, match=r"is not installed \(got 'mlflow'"):
        run(build_study({"trackers": ["mlflow"]}), Console(quiet=True))
    assert list(empty_folder.iterdir()) == []


def test_every_tracker_names_an_extra_of_the_project_or_comes_with_it():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for needs in TRACKERS.values():
        held = (
            project["dependencies"] if needs.extra is None else project["optional-dependencies"][needs.extra]
        )
        assert any(each.startswith(needs.module) for each in held)
