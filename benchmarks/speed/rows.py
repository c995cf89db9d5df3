"""Summarizes repeated measurements as medians with their range, and compares them with a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of ``n`` repetitions."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(float(median(values)), float(min(values)), float(max(values)), len(values))


@dataclass(frozen=True)
class Target:
    """The limit that the median of a figure should keep."""

    value: float
    at_most: bool

    def is_met_by(self, value: float) -> bool:
        """Return whether a value keeps the limit."""
        return value <= self.value if self.at_most else value >= self.value


def at_most(value: float) -> Target:
    """Return an upper limit."""
    return Target(value, at_most=True)


def at_least(value: float) -> Target:
    """Return a lower limit."""
    return Target(value, at_most=False)


@dataclass(frozen=True)
class Label:
    """What a row measures: a title, the baseline that it is compared with, and the unit of both sides."""

    title: str
    baseline: str = "–"
    unit: str = "s"


@dataclass(frozen=True)
class Work:
    """Evidence that both contestants did the same work, and whether they did."""

    description: str = ""
    same: bool = True


NO_EVIDENCE = Work()


@dataclass(frozen=True)
class Row:
    """One row of the table.

    ``figure`` is compared with ``target``, if there is one. It is a ratio of ``ours`` and ``peer`` if
    ``is_ratio``; otherwise it has their unit.
    """

    label: Label
    figure: Spread
    ours: Spread
    peer: Spread | None
    target: Target | None = None
    work: Work = NO_EVIDENCE
    is_ratio: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target and the work was the same; None without a target."""
        return None if self.target is None else self.work.same and self.target.is_met_by(self.figure.median)

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is stored in ``bench.json``; the keys are part of the file format."""
        return {
            "what": self.label.title,
            "against": self.label.baseline,
            "figure": asdict(self.figure),
            "ours": asdict(self.ours),
            "peer": asdict(self.peer) if self.peer else None,
            "unit": self.label.unit,
            "asked": asdict(self.target) if self.target else None,
            "work": self.work.description,
            "alike": self.work.same,
            "is_ratio": self.is_ratio,
            "met": self.met,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Row:
        """Return a row that `to_json` has stored."""
        return cls(
            Label(stored["what"], stored["against"], stored["unit"]),
            Spread(**stored["figure"]),
            Spread(**stored["ours"]),
            Spread(**stored["peer"]) if stored["peer"] else None,
            Target(**stored["asked"]) if stored["asked"] else None,
            Work(stored["work"], stored["alike"]),
            stored["is_ratio"],
        )


def ratio_row(
    label: Label,
    ours: Sequence[float],
    peer: Sequence[float],
    target: Target | None = None,
    work: Work = NO_EVIDENCE,
    *,
    speedup: bool = False,
) -> Row:
    """Return a row whose figure is the ratio of ours to the peer's, or its inverse for a ``speedup``.

    The ratio is taken within each repetition, in which the contestants run in sequence, so that it does not
    depend on how the speed of the machine varies between repetitions.

    Raises
    ------
    ValueError
        if the contestants have different numbers of repetitions.
    """
    pairs = list(zip(ours, peer, strict=True))
    ratios = [other / own if speedup else own / other for own, other in pairs]
    return Row(label, Spread.of(ratios), Spread.of(ours), Spread.of(peer), target, work, is_ratio=True)


def value_row(
    title: str, values: Sequence[float], *, unit: str, target: Target | None = None, description: str = ""
) -> Row:
    """Return a row of our own values, without a baseline."""
    spread = Spread.of(values)
    return Row(Label(title, unit=unit), spread, spread, None, target, Work(description))
