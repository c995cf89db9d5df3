"""Tests of reading curve tables."""

import pytest

from hpo.errors import UserError
from hpo.simulation.curve_tables import read_curve_table
from hpo.storage.atomic import write_lines


def test_read_curve_table_returns_the_table_that_was_written(table, tmp_path):
    path = tmp_path / "made-up.jsonl"
    write_lines(path, [table.conditions, *(vars(curve) for curve in table.curves)])
    assert read_curve_table(path) == table


def test_read_curve_table_without_a_file_raises_user_error(tmp_path):
    with pytest.raises(UserError, match="not a curve table"):
        read_curve_table(tmp_path / "none.jsonl")
