"""Tests of the lists of search spaces and hyperparameters."""

import re

from hpo.config.training_config import TrainingConfig
from hpo.reporting.catalog import list_spaces, render_hyperparameter_table, render_spaces


def test_render_spaces_lists_every_space_with_its_purpose_and_domains():
    text = render_spaces()
    for space in list_spaces():
        assert f"{space['name']}: {space['purpose']}" in text
        assert "make hpo" in space["purpose"]
    assert re.search(r"learning_rate +loguniform 5e-05 \.\. 0\.005", text)
    assert re.search(r"batch_size +one of 16, 32, 64", text)
    assert re.search(r"epochs += 9", text)


def test_render_hyperparameter_table_lists_values_default_and_meaning():
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
