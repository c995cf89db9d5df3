"""Tests of hyperparameter importance."""

from dataclasses import replace

import pytest

from hpo.reporting.importance import hyperparameter_importance, render_importance


def test_importance_ranks_the_decisive_hyperparameter_first(record, read_cells):
    shares = hyperparameter_importance(record.study.space, record.trials)
    assert list(shares) == ["learning_rate", "batch_size"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.8
    assert read_cells(render_importance(record))[1][0] == "learning rate"
    assert "unreliable with so few trials" in render_importance(record)


def test_render_importance_with_nine_trials_is_empty(record):
    assert render_importance(replace(record, trials=record.trials[:9])) == ""
