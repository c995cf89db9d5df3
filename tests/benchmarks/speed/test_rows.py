"""Tests of the rows of the table: spreads, ratios, targets and their stored form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed.rows import Label, Row, Spread, Work, at_least, at_most, ratio_row, value_row

seconds = st.floats(0.01, 1e4)
words = st.text(max_size=5)
spreads = st.builds(Spread, seconds, seconds, seconds, st.just(3))
targets = st.builds(at_most, seconds) | st.builds(at_least, seconds)
rows = st.builds(
    Row, st.builds(Label, words, words, words), spreads, spreads, st.none() | spreads, st.none() | targets,
    st.builds(Work, words, st.booleans()), st.booleans(),
)  # fmt: skip
WALL = Label("wall", "peer")


@given(st.lists(seconds, min_size=1, max_size=9))
def test_spread_of_values_has_their_range_and_median(values):
    spread = Spread.of(values)
    assert (spread.low, spread.high, spread.n) == (min(values), max(values), len(values))
    assert sum(each <= spread.median for each in values) * 2 >= len(values)
    assert sum(each >= spread.median for each in values) * 2 >= len(values)


def test_ratio_row_takes_ratios_within_repetitions():
    """If the machine slows down tenfold, these ratios stay the same, but a ratio of medians would not."""
    row = ratio_row(WALL, [1.0, 10.0, 20.0], [2.0, 40.0, 50.0], at_most(0.45))
    assert (row.figure.median, row.figure.low, row.figure.high) == (0.4, 0.25, 0.5)
    assert row.ours.median == 10.0
    assert row.peer == Spread(40.0, 2.0, 50.0, 3)
    assert row.met
    faster = ratio_row(Label("score", "peer"), [1.0], [4.0], at_least(4), speedup=True)
    assert faster.figure.median == 4.0
    assert faster.met
    with pytest.raises(ValueError, match="shorter"):
        ratio_row(WALL, [1.0, 2.0], [1.0])


def test_row_met_requires_the_same_work_and_a_target():
    assert ratio_row(WALL, [1.0], [4.0], at_most(0.5)).met is True
    assert ratio_row(WALL, [1.0], [4.0], at_most(0.5), Work(same=False)).met is False
    assert ratio_row(WALL, [3.0], [4.0], at_most(0.5)).met is False
    assert ratio_row(WALL, [3.0], [4.0]).met is None


@given(rows)
def test_row_from_json_restores_the_row(row):
    assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row


def test_row_to_json_has_the_keys_of_earlier_results_files():
    spread = {"median": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    row = value_row("memory", [1.0], unit="MiB", target=at_most(2), description="evidence")
    assert row.to_json() == {
        "what": "memory", "against": "–", "figure": spread, "ours": spread, "peer": None, "unit": "MiB",
        "asked": {"value": 2, "at_most": True}, "work": "evidence", "alike": True, "is_ratio": False,
        "met": True,
    }  # fmt: skip
