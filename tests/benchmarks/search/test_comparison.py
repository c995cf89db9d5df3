"""Tests of the comparison of search algorithms and of its report."""

import json

import pytest
from typer.testing import CliRunner

from benchmarks.search.commands import TABLE, app
from benchmarks.search.comparison import Comparison, Conditions, Outcome, compare_all, summarize, to_json
from benchmarks.search.contestants import DEFAULT, RANDOM, UnavailableContestant
from benchmarks.search.reports import render
from hpo.environment import describe_environment


def test_summarize_ranks_by_epochs_and_then_by_score():
    def seeds(epochs, score, found=True):
        return [Outcome(float(epochs + seed), found, (score, score), 10, 9.0) for seed in range(8)]

    outcomes = {DEFAULT: seeds(50, 0.5), RANDOM: seeds(100, 0.4), "Other": seeds(30, 0.3)}
    outcomes["Never found"] = [Outcome(450.0, False, (0.2, 0.2), 10, 9.0)] * 8
    rows = {row.title: row for row in summarize(outcomes)}
    assert list(rows) == ["Other", DEFAULT, RANDOM, "Never found"]
    assert rows[DEFAULT].ratio.value == pytest.approx(53.5 / 103.5)
    assert (rows["Other"].ahead.low, rows["Other"].ahead.value, rows["Other"].ahead.high) == (20, 20, 20)
    assert [rows[title].rank.value for title in rows] == [1, 2, 3, 4]
    assert [rows[title].found for title in rows] == [8, 8, 8, 0]
    assert json.loads(json.dumps(to_json(list(rows.values()), outcomes)))["rows"][0]["title"] == "Other"


def test_render_lists_contestants_unavailable_ones_and_conditions(surrogate):
    found, missed = Outcome(60.0, True, (0.3, 0.4), 10, 9.0), Outcome(100.0, False, (0.2, 0.3), 10, 9.0)
    outcomes = {DEFAULT: [found] * 2, RANDOM: [missed] * 2, "Peer": [found] * 2}
    unavailable = [UnavailableContestant("PBT", "copies weights")]
    conditions = Conditions(TABLE, seeds=2, budget_epochs=100)
    comparison = Comparison(surrogate, outcomes, unavailable)
    text = render(summarize(outcomes), comparison, conditions, describe_environment()["versions"])
    assert f"| **{DEFAULT}** | 60 [60, 60] | 0.60 [0.60, 0.60] | 2/2 |" in text
    assert f"| **{RANDOM}** | over 100 |" in text
    assert "| Peer | 60 [60, 60] |" in text
    assert "- PBT: copies weights" in text
    assert "- Table: ajmc-en-tiny, 200 random configurations × 9 epochs" in text


@pytest.mark.slow
def test_compare_all_on_the_recorded_table_runs_the_included_contestants():
    conditions = Conditions(TABLE, seeds=2, budget_epochs=100)
    comparison = compare_all(conditions, include=lambda title: title == "Grid")
    assert list(comparison.outcomes) == [DEFAULT, RANDOM, "Grid"]
    rows = summarize(comparison.outcomes)
    text = render(rows, comparison, conditions, describe_environment()["versions"])
    assert all(f"| **{title}** |" in text for title in comparison.outcomes)
    assert all(each.reason in text for each in comparison.unavailable)


@pytest.mark.slow
def test_compare_quick_writes_markdown_and_json(tmp_path):
    out = tmp_path / "bench-search"
    done = CliRunner().invoke(app, ["compare", "--quick", "--only", "Grid", "--jobs", "2", "--out", str(out)])
    assert done.exit_code == 0, done.output
    written = json.loads(out.with_suffix(".json").read_text())
    assert (written["conditions"]["seeds"], written["conditions"]["epochs"]) == (2, 100)
    assert list(written["outcomes"]) == [DEFAULT, RANDOM, "Grid"]
    assert out.with_suffix(".md").read_text() in done.stdout
