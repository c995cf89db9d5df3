"""Fixtures of the tests of the search benchmark."""

import pytest

from benchmarks.search.commands import TABLE
from hpo.simulation.curve_tables import read_curve_table
from hpo.simulation.surrogate import Surrogate


@pytest.fixture(scope="session")
def surrogate():
    """Return the surrogate of the recorded table, fitted once."""
    return Surrogate(read_curve_table(TABLE))
