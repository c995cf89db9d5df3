"""Domains: the unit interval mapping of ranges and its inverse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.config.domain import Domain

RANGES = st.one_of(
    st.builds(
        lambda low, width: Domain(type="uniform", low=low, high=low + width),
        st.floats(-1e6, 1e6),
        st.floats(1e-3, 1e6),
    ),
    st.builds(
        lambda low, factor: Domain(type="loguniform", low=low, high=low * factor),
        st.floats(1e-9, 1e6),
        st.floats(1.01, 1e6),
    ),
)


@given(RANGES, st.floats(0, 1))
def test_to_unit_inverts_from_unit(domain, coordinate):
    value = domain.from_unit(coordinate)
    assert domain.contains(value)
    assert domain.to_unit(value) == pytest.approx(coordinate, abs=1e-6)


@given(RANGES, st.floats(0, 1))
def test_from_unit_inverts_to_unit(domain, share):
    value = domain.clip(domain.low + share * (domain.high - domain.low))
    coordinate = domain.to_unit(value)
    assert 0 <= coordinate <= 1
    assert domain.from_unit(coordinate) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.data())
def test_from_unit_int_range_returns_the_same_integer(low, width, data):
    domain = Domain(type="int", low=low, high=low + width)
    value = data.draw(st.integers(low, low + width))
    assert domain.from_unit(domain.to_unit(value)) == value
    assert isinstance(domain.from_unit(domain.to_unit(value)), int)


def test_from_unit_int_range_has_equal_bins():
    domain = Domain(type="int", low=1, high=3)
    assert [domain.to_unit(value) for value in (1, 2, 3)] == [0.5 / 3, 1.5 / 3, 2.5 / 3]
    found = [domain.from_unit(place) for place in (0, 0.33, 0.34, 0.66, 0.67, 1)]
    assert found == [1, 1, 2, 2, 3, 3]


def test_to_unit_loguniform_is_linear_in_the_logarithm():
    domain = Domain(type="loguniform", low=1e-5, high=1e-1)
    assert domain.to_unit(1e-3) == pytest.approx(0.5)
    assert math.log10(domain.from_unit(0.25)) == pytest.approx(-4)
