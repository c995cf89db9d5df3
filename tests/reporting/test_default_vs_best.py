"""Tests of the comparison of the default configuration with the best one."""

from dataclasses import replace

from hpo.config.study import build_study
from hpo.reporting.default_vs_best import render_default_vs_best, summarize_gain
from hpo.search.trial import State


def test_render_default_vs_best_shows_both_trials_and_the_gain(record, read_cells):
    _, default, best, gain = read_cells(render_default_vs_best(record))
    assert default == ["default", "0", "9 of 9", "0.50000", "1,000", "0.45000", "1,234"]
    assert best == ["best", "29", "9 of 9", "0.52900", "1,000", "0.45500", "1,234"]
    assert gain == ["gain", "", "", "+0.02900", "", "+0.00500", ""]
    assert summarize_gain(record) == "Best vs default: F1 +0.02900 on dev, +0.00500 on test.\n"


def test_summarize_gain_with_a_loss_on_test_says_no_improvement(record, scores_of):
    record.scores[29] = scores_of(0.529, 0.44)
    assert "+0.02900 on dev, -0.01000 on test (no improvement)" in summarize_gain(record)


def test_render_default_vs_best_with_a_default_outside_of_the_space_names_the_substitute(record):
    assert (
        "batch_size: the default 32 is outside of the search space; 8 was used instead."
        in render_default_vs_best(record)
    )
    assert "learning_rate:" not in render_default_vs_best(record)


def test_render_default_vs_best_with_an_unset_default_names_the_substitute(record, space):
    searched = space["parameters"] | {"classifier_dropout": {"type": "uniform", "low": 0.0, "high": 0.3}}
    study = build_study({"name": "s", "space": space | {"parameters": searched}})
    record.trials[0].params = study.space.defaults
    expected = "classifier_dropout: the default (unset) is outside of the search space; 0.0 was used instead"
    assert expected in render_default_vs_best(replace(record, study=study))


def test_summarize_gain_without_a_default_score_says_why(record):
    record.trials[0].state = State.FAILED
    record.trials[0].reason = "out of memory"
    assert summarize_gain(record) == "The default configuration failed (out of memory).\n"
    record.trials[0].state = State.RUNNING
    assert "still training" in summarize_gain(record)


def test_render_default_vs_best_with_the_default_as_best_is_one_line(record, measure, read_cells):
    record.trials[0].measurements.append(measure(9, 0.9))
    assert [line[0] for line in read_cells(render_default_vs_best(record))[1:]] == ["default, and best"]
    assert "No searched configuration scored higher on dev" in summarize_gain(record)


def test_render_default_vs_best_without_a_default_trial_is_empty(record):
    study = record.study.model_copy(update={"baseline": False})
    assert render_default_vs_best(replace(record, study=study)) == ""
    record.trials[0].params = record.trials[1].params
    assert render_default_vs_best(record) == ""


def test_render_default_vs_best_with_seeds_compares_means(seeded_record, read_cells):
    _, default, best, gain = read_cells(render_default_vs_best(seeded_record))
    assert default == ["default", "learning rate 5e-05, batch size 8", "85.27", "71.50"]
    assert best == ["best", "learning rate 0.00016, batch size 4", "84.01", "77.00"]
    assert gain == ["gain", "", "-1.26", "+5.50"]
    assert (
        "Best vs default: F1 -0.01262 on dev (no improvement), +0.05500 on test, by the mean of 5 seeds.\n"
    ) in render_default_vs_best(seeded_record)


def test_render_default_vs_best_with_seeds_ignores_other_seeds_of_the_default(
    seeded_record, measure, read_cells
):
    seeded_record.trials[4].state = State.COMPLETE
    seeded_record.trials[4].measurements.append(measure(9, 0.9))
    text = render_default_vs_best(seeded_record)
    assert [line[0] for line in read_cells(text)[1:]] == ["default, and best"]
    assert "scored higher on dev than the default, by the mean of 5 seeds" in text
