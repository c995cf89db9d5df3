"""Repetitions reduced to a median with its range, and held against what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of ``n`` repetitions."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some repetitions, of which there is at least one."""
        return cls(float(median(values)), float(min(values)), float(max(values)), len(values))


@dataclass(frozen=True)
class Target:
    """A limit that a figure's median is held against."""

    value: float
    at_most: bool

    def is_met_by(self, value: float) -> bool:
        """Whether a value keeps the limit."""
        return value <= self.value if self.at_most else value >= self.value


def at_most(value: float) -> Target:
    """A limit from above."""
    return Target(value, at_most=True)


def at_least(value: float) -> Target:
    """A limit from below."""
    return Target(value, at_most=False)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``figure`` is held against ``asked``, where anything is asked. ``ours`` and ``peer`` are what it was made
    of, in ``unit``, and so is the figure where it is no ratio of them. ``work`` says what shows that the arms
    did the same, and ``alike`` whether they did.
    """

    what: str
    against: str
    figure: Spread
    ours: Spread
    peer: Spread | None
    unit: str
    asked: Target | None = None
    work: str = ""
    alike: bool = True
    is_ratio: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median keeps what is asked and the arms did the same; None where nothing is asked."""
        return None if self.asked is None else self.alike and self.asked.is_met_by(self.figure.median)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them, and the verdict."""
        return asdict(self) | {"met": self.met}

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Row:
        """A row that `to_json` has written."""
        fields = {name: value for name, value in written.items() if name != "met"}
        for name in ("figure", "ours", "peer"):
            fields[name] = Spread(**fields[name]) if fields[name] else None
        fields["asked"] = Target(**fields["asked"]) if fields["asked"] else None
        return cls(**fields)


def ratio_row(
    what: str,
    against: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    unit: str = "s",
    asked: Target | None = None,
    times_as_fast: bool = False,
    work: str = "",
    alike: bool = True,
) -> Row:
    """A row whose figure is ours over the peer's, or the peer's over ours where ``times_as_fast``.

    The ratio is taken within each repetition, whose arms ran one after the other, so that a machine that
    slows down over an hour does not count for or against either.

    Raises
    ------
    ValueError
        if the arms were not repeated equally often.
    """
    pairs = list(zip(ours, peer, strict=True))
    ratios = [other / own if times_as_fast else own / other for own, other in pairs]
    return Row(
        what,
        against,
        Spread.of(ratios),
        Spread.of(ours),
        Spread.of(peer),
        unit,
        asked,
        work,
        alike,
        is_ratio=True,
    )


def value_row(
    what: str, values: Sequence[float], *, unit: str, asked: Target | None = None, work: str = ""
) -> Row:
    """A row of ours without a peer, whose figure is the value itself."""
    spread = Spread.of(values)
    return Row(what, "–", spread, spread, None, unit, asked, work)
