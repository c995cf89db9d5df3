"""Tests of configurations trained with several seeds."""

import pytest

from hpo.reporting.seeds import render_seed_scores, seeded_configurations


def test_render_seed_scores_gives_the_published_means_and_sorts_complete_rows_first(
    seeded_record, read_cells
):
    text = render_seed_scores(seeded_record)
    dev, test = (read_cells(part) for part in text.split("On test")[:2])
    assert dev[0] == ["configuration", "Run 1", "Run 2", "Run 3", "Run 4", "Run 5", "mean ± std"]
    assert dev[1] == [
        "learning rate 0.00016, batch size 4", "83.80", "84.78", "83.74", "83.35", "84.37", "84.01 ± 0.50",
    ]  # fmt: skip
    assert dev[2][0] == "learning rate 5e-05, batch size 8 (default)"
    assert dev[2][5:] == ["-", "85.27 ± 1.06"]
    assert test[1][1:] == ["75.00", "76.00", "77.00", "78.00", "79.00", "77.00 ± 1.41"]
    assert "with the seeds 1, 2, 3, 4, 5" in text


def test_seeded_configuration_to_json_names_its_trials_and_seeds(seeded_record):
    first = seeded_configurations(seeded_record)[0].to_json()
    assert (first["trials"], first["seeds"], first["default"]) == ([5, 6, 7, 8, 9], [1, 2, 3, 4, 5], False)
    assert list(first["dev"]) == ["f1", "mean", "deviation"]
    assert first["dev"]["mean"] == pytest.approx(0.84008)
    assert first["dev"]["deviation"] == pytest.approx(0.0050, abs=1e-4)


def test_render_seed_scores_with_one_seed_is_empty(record):
    assert render_seed_scores(record) == ""
