"""Tests of the dry run: bounds of epochs and disk use."""

import pytest

from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.reporting.dry_run import epochs_bound, render_dry_run

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
    "fixed": {"epochs": 9},
}


@pytest.fixture(autouse=True)
def small_model(monkeypatch):
    """Replace the parameter count, so that no model is loaded."""
    monkeypatch.setattr("hpo.models.build.count_parameters", lambda model: 1_000_000)


def test_epochs_bound_without_early_stopping_counts_every_epoch():
    assert epochs_bound(build_study({"space": SPACE, "trials": 10, "algorithm": "random"})) == (90, 90)


def test_epochs_bound_of_halving_sums_the_rungs():
    # 27 trials for 1 epoch, 9 of them for 2 more, 3 of them for 6 more
    assert epochs_bound(build_study({"space": SPACE, "trials": 27})) == (243, 27 + 18 + 18)


@pytest.mark.parametrize("trials", [1, 2, 5, 50])
@pytest.mark.parametrize("grace", [1, 2, 9])
def test_epochs_bound_expected_is_at_most_the_upper_bound(trials, grace):
    upper, expected = epochs_bound(build_study({"space": SPACE, "trials": trials, "grace_epochs": grace}))
    assert trials * grace <= expected <= upper == trials * 9


def test_render_dry_run_bounds_models_on_disk_and_training_states():
    plan = render_dry_run(build_study({"keep_checkpoints": 5, "workers": 3}))
    assert "11 models of 4 MB (5 best, 1 default, up to 5 for the report)" in plan
    assert "up to 0.10 GB for snapshots of 3 trials" in plan
    paused = render_dry_run(
        build_study({"keep_checkpoints": 5, "workers": 3, "algorithm": "bohb", "trials": 20})
    )
    assert "0.64 GB for snapshots of 20 trials" in paused


def test_render_dry_run_with_an_unknown_tag_family_is_refused():
    with pytest.raises(UserError, match=r"unknown name \(got 'nope'"):
        render_dry_run(build_study({"tags": "nope"}))
