"""Tracker names of a study, and the error for trackers that are not installed."""

import pytest

from hpo.config import trackers as names
from hpo.config.study import build_study
from hpo.config.trackers import TRACKERS, parse_tracker, require_installed
from hpo.errors import UserError


@pytest.mark.parametrize(
    ("tracker", "parts"),
    [
        ("tensorboard", ("tensorboard", "")),
        ("mlflow:sqlite:///runs.db", ("mlflow", "sqlite:///runs.db")),
        ("wandb:my-project", ("wandb", "my-project")),
    ],
)
def test_parse_tracker_splits_at_the_first_colon(tracker, parts):
    assert parse_tracker(tracker) == parts


@pytest.mark.parametrize(
    ("trackers", "complaint"),
    [
        (["comet"], "must be one of tensorboard, mlflow, wandb"),
        (["tensorboard:here"], "tensorboard has no target"),
        (["mlflow:"], "mlflow needs a tracking URI after the colon"),
        (["mlflow", "mlflow:sqlite:///a"], "must name each tracker once"),
    ],
)
def test_build_study_invalid_trackers_are_rejected(trackers, complaint):
    with pytest.raises(UserError, match=complaint):
        build_study({"trackers": trackers})


def test_fingerprint_ignores_trackers():
    study, other = build_study({}), build_study({"trackers": []})
    assert study.trackers == ("tensorboard",)
    assert study.fingerprint == other.fingerprint


def test_require_installed_missing_package_raises_with_the_command(monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda module: None if module == "wandb" else object())
    require_installed(["tensorboard", "mlflow"])
    with pytest.raises(UserError) as refused:
        require_installed(["tensorboard", "wandb:p"])
    assert str(refused.value) == (
        "trackers: is not installed (got 'wandb'; install it: .venv/bin/pip install -c constraints.txt "
        "-e '.[wandb]'; or remove it from trackers)"
    )


def test_run_missing_tracker_is_rejected_before_writing(monkeypatch, empty_folder):
    from rich.console import Console

    from hpo.workflows.run import run

    monkeypatch.setattr(names, "find_spec", lambda module: None)
    with pytest.raises(UserError, match=r"is not installed \(got 'mlflow'"):
        run(build_study({"trackers": ["mlflow"]}), Console(quiet=True))
    assert list(empty_folder.iterdir()) == []


def test_every_tracker_is_a_dependency_or_an_extra():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for needs in TRACKERS.values():
        held = (
            project["dependencies"] if needs.extra is None else project["optional-dependencies"][needs.extra]
        )
        assert any(each.startswith(needs.module) for each in held)
