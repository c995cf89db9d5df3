"""Label schemes: found or told, and all turned into IOB2.

A scheme is decided for a whole corpus, never for one sentence: a sentence alone seldom shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

OUTSIDE = "O"
"""The label of a token in no entity, in every scheme that this package writes."""
OUTSIDE_SYMBOLS = ("O", "0", "_")
"""What corpora write for it; the first of these that a corpus holds is its own."""


class Part(NamedTuple):
    """One label taken apart: its role (`B`, `I`, `E`, `S`, or "" outside), and its type in IOB2."""

    role: str
    begin: str
    inside: str


_OUTSIDE_PART = Part("", OUTSIDE, OUTSIDE)
_ROLES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
"""What a prefix says, whatever letter the scheme has for it."""


def _join_runs(parts: Sequence[Part]) -> tuple[tuple[str, ...], int]:
    labels = []
    before = OUTSIDE
    for part in parts:
        labels.append(part.inside if part.inside == before else part.begin)
        before = part.inside
    return tuple(labels), 0


def _read_iob(parts: Sequence[Part]) -> tuple[tuple[str, ...], int]:
    labels = []
    begun_late = 0
    before = OUTSIDE
    for role, begin, inside in parts:
        if role == "I" and inside != before:
            begun_late += 1
        labels.append(inside if role == "I" and inside == before else begin)
        before = inside
    return tuple(labels), begun_late


def _read_iob1(parts: Sequence[Part]) -> tuple[tuple[str, ...], int]:
    # An `I-` that continues nothing is how IOB1 begins an entity: nothing was repaired.
    return _read_iob(parts)[0], 0


def _read_chunks(parts: Sequence[Part]) -> tuple[tuple[str, ...], int]:
    labels = []
    repaired = 0
    open_entity = OUTSIDE
    for role, begin, inside in parts:
        continues = role in ("I", "E") and inside == open_entity
        left_open = open_entity != OUTSIDE and not continues
        begun_late = role in ("I", "E") and not continues
        repaired += left_open or begun_late
        labels.append(inside if continues else begin)
        open_entity = inside if role in ("B", "I") else OUTSIDE
    return tuple(labels), repaired + (open_entity != OUTSIDE)


class Scheme(NamedTuple):
    """The prefixes that a scheme has ("" for none), and how it reads."""

    prefixes: str
    read: Callable[[Sequence[Part]], tuple[tuple[str, ...], int]]


SCHEMES: Mapping[str, Scheme] = {
    "plain": Scheme("", _join_runs),
    "IOB1": Scheme("BI", _read_iob1),
    "IOB2": Scheme("BI", _read_iob),
    "BIOES": Scheme("BIES", _read_chunks),
    "BILOU": Scheme("BILU", _read_chunks),
    "BMES": Scheme("BMESW", _read_chunks),
}


class LabelReader:
    """Reads the labels of one corpus in its scheme.

    Parameters
    ----------
    scheme
        a name in `SCHEMES`.
    outside
        the labels that stand for "no entity".
    """

    def __init__(self, scheme: str, outside: Iterable[str] = (OUTSIDE,)) -> None:
        self.scheme = scheme
        self._prefixes, self._read = SCHEMES[scheme]
        self._outside = frozenset(outside)
        self._parts: dict[str, Part] = dict.fromkeys(self._outside, _OUTSIDE_PART)

    def fault_of(self, label: str) -> str:
        """The rule that a label breaks in this scheme, or "" if it breaks none."""
        if label in self._outside:
            return ""
        prefix, dash, kind = label.partition("-")
        if not label:
            return "label is empty"
        if not self._prefixes:
            return f"label has a prefix in a {self.scheme} corpus" if dash and prefix in ("B", "I") else ""
        if not dash or len(prefix) != 1 or prefix not in self._prefixes:
            return f"label is none of {self.scheme}"
        return "" if kind else "label has a prefix and no type"

    def read(self, labels: Sequence[str]) -> tuple[tuple[str, ...], int]:
        """The labels of one sentence in IOB2, and how many of them had to be repaired.

        Repaired are an ``I-`` (``E-``, ``L-``) that continues nothing, which then begins an entity, and
        an entity that a closing scheme leaves open. The labels must have no `fault_of`.
        """
        parts = self._parts
        held = set(labels)
        if held <= self._outside:
            return (OUTSIDE,) * len(labels), 0
        for label in held:
            if label not in parts:
                parts[label] = self._take_apart(label)
        return self._read([parts[label] for label in labels])

    def _take_apart(self, label: str) -> Part:
        prefix, kind = ("I", label) if not self._prefixes else label.split("-", 1)
        return Part(_ROLES[prefix], f"B-{kind}", f"I-{kind}")


def find_outside(labels: Iterable[str]) -> str:
    """The label that means "no entity" in a corpus with these labels."""
    held = set(labels)
    return next((symbol for symbol in OUTSIDE_SYMBOLS if symbol in held), OUTSIDE)


def find_scheme(sentences: Iterable[Sequence[str]], outside: Iterable[str] = (OUTSIDE,)) -> str:
    """The scheme, a name in `SCHEMES`, in which most labels of all these sentences are valid.

    A corpus without any entity is IOB2. A stray label does not decide: it is left to be a problem.
    """
    outside = frozenset(outside)
    named = [labels for labels in sentences if not outside.issuperset(labels)]
    counts = Counter(label for labels in named for label in labels if label not in outside)
    prefixes: Counter[str] = Counter()
    for label, count in counts.items():
        if label[1:2] == "-" and label[0] in _ROLES:
            prefixes[label[0]] += count
    if 2 * prefixes.total() < counts.total():
        return "plain"
    # Entities that are closed close as often as they begin; one mistyped `E-` among many `B-` is not that.
    closings = sum(prefixes[prefix] for prefix in "ELSUW")
    if closings and 2 * closings >= prefixes["B"]:
        return max(("BIOES", "BILOU", "BMES"), key=lambda name: _held(prefixes, SCHEMES[name].prefixes))
    return "IOB1" if prefixes["I"] and _begins_by_inside(named, outside) else "IOB2"


def _held(prefixes: Counter[str], known: str) -> int:
    return sum(prefixes[prefix] for prefix in known)


def _begins_by_inside(sentences: Iterable[Sequence[str]], outside: frozenset[str]) -> bool:
    """Whether every ``B-`` follows an entity of its own type, which is all that IOB1 has it for."""
    for labels in sentences:
        before = OUTSIDE
        for label in labels:
            if label.startswith("B-") and before[2:] != label[2:]:
                return False
            before = OUTSIDE if label in outside else label
    return True
