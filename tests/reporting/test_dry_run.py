"""What would be run and what it costs; the catalogue as text."""

import re

import pytest

from hpo.config.study import build_study
from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.reporting.dry_run import (
    epochs_bound,
    list_spaces,
    render_dry_run,
    render_hyperparameter_table,
    render_spaces,
)

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 1e-5, "high": 1e-2}},
    "fixed": {"epochs": 9},
}


@pytest.fixture(autouse=True)
def small_model(monkeypatch):
    """No model is loaded to be weighed."""
    monkeypatch.setattr("hpo.models.build.count_parameters", lambda model: 1_000_000)


def test_a_search_that_stops_nothing_trains_every_epoch():
    assert epochs_bound(build_study({"space": SPACE, "trials": 10, "algorithm": "random"})) == (90, 90)


def test_halving_trains_all_for_a_rung_and_a_share_of_them_for_the_next():
    # 27 trials for 1 epoch, 9 of them for 2 more, 3 of them for 6 more
    assert epochs_bound(build_study({"space": SPACE, "trials": 27})) == (243, 27 + 18 + 18)


@pytest.mark.parametrize("trials", [1, 2, 5, 50])
@pytest.mark.parametrize("grace", [1, 2, 9])
def test_what_is_likely_is_never_over_what_is_possible(trials, grace):
    most, likely = epochs_bound(build_study({"space": SPACE, "trials": trials, "grace_epochs": grace}))
    assert trials * grace <= likely <= most == trials * 9


def test_a_plan_bounds_the_models_on_disk_and_the_states_in_memory():
    plan = render_dry_run(build_study({"keep_checkpoints": 5, "workers": 3}))
    assert (
        "11 models of 4 MB (6 kept, 5 that led on the way or are the best of a hyperparameter's value)"
        in plan
    )
    assert "up to 0.10 GB of state of 3 trials" in plan
    paused = render_dry_run(
        build_study({"keep_checkpoints": 5, "workers": 3, "algorithm": "bohb", "trials": 20})
    )
    assert "0.64 GB of state of 20 trials" in paused


def test_a_plan_with_an_unknown_tag_family_is_refused():
    with pytest.raises(UserError, match="unknown name: 'nope'"):
        render_dry_run(build_study({"tags": "nope"}))


def test_every_shipped_space_is_listed_with_its_purpose_and_every_domain():
    text = render_spaces()
    for space in list_spaces():
        assert f"{space['name']}: {space['purpose']}" in text
        assert "make hpo" in space["purpose"]
    assert re.search(r"learning_rate +loguniform 5e-05 \.\. 0\.005", text)
    assert re.search(r"batch_size +one of 16, 32, 64", text)
    assert re.search(r"epochs += 9", text)


def test_every_knob_is_listed_with_its_limits_default_and_meaning():
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in render_hyperparameter_table().splitlines()[2:]
    ]
    assert [row[0] for row in rows] == list(TrainingConfig.model_fields)
    assert all(all(row) for row in rows)
    cells = {row[0]: row[1:3] for row in rows}
    assert cells["learning_rate"] == ["0 < number <= 1", "5e-05"]
    assert cells["lr_schedule"] == [
        "linear, cosine, cosine_with_restarts, constant, exponential, hybrid, adaptive",
        "linear",
    ]
    assert cells["gradient_checkpointing"] == ["true, false", "False"]
    assert cells["batch_size"] == ["1 <= integer <= 4096", "32"]
    assert cells["max_grad_norm"] == ["0 <= number", "1.0"]
