"""Tests of the best trial after so many trials."""

from dataclasses import replace

from hpo.reporting.milestones import milestones, render_milestones


def test_milestones_are_after_10_and_27_and_all_trials(record, read_cells):
    assert [(each.trials, each.best, each.dev_f1, each.test_f1) for each in milestones(record)] == [
        (10, 9, 0.509, 0.46),
        (27, 26, 0.526, None),
        (30, 29, 0.529, 0.455),
    ]
    assert read_cells(render_milestones(record))[1:] == [
        ["10", "9", "0.50900", "", "0.46000", ""],
        ["27", "26", "0.52600", "+0.01700", "-", ""],
        ["30", "29", "0.52900", "+0.00300", "0.45500", ""],
    ]


def test_render_milestones_with_ten_trials_is_empty(record):
    assert render_milestones(replace(record, trials=record.trials[:10])) == ""
