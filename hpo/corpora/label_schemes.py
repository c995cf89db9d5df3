"""Detect the label scheme of a corpus (IOB1, IOB2, BIOES, …) and convert its labels to IOB2.

The scheme is detected for a whole corpus, because a single sentence rarely shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

OUTSIDE = "O"
"""The label of a token outside all entities, in every scheme that this package writes."""
OUTSIDE_SYMBOLS = ("O", "0", "_")
"""What corpora use as this label; the first of these that occurs in a corpus is taken."""


class ParsedLabel(NamedTuple):
    """A label's role (`B`, `I`, `E`, `S`, or "" outside), and the IOB2 labels of its type."""

    role: str
    begin: str
    inside: str


_OUTSIDE = ParsedLabel("", OUTSIDE, OUTSIDE)
_ROLES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
"""The role of each prefix letter of any scheme."""


def _convert_plain(parsed: Sequence[ParsedLabel]) -> tuple[tuple[str, ...], int]:
    labels = []
    before = OUTSIDE
    for label in parsed:
        labels.append(label.inside if label.inside == before else label.begin)
        before = label.inside
    return tuple(labels), 0


def _convert_iob2(parsed: Sequence[ParsedLabel]) -> tuple[tuple[str, ...], int]:
    labels = []
    misplaced = 0
    before = OUTSIDE
    for role, begin, inside in parsed:
        if role == "I" and inside != before:
            misplaced += 1
        labels.append(inside if role == "I" and inside == before else begin)
        before = inside
    return tuple(labels), misplaced


def _convert_iob1(parsed: Sequence[ParsedLabel]) -> tuple[tuple[str, ...], int]:
    # In IOB1, an `I-` that continues no entity is how an entity begins; it is not a repair.
    return _convert_iob2(parsed)[0], 0


def _convert_closed(parsed: Sequence[ParsedLabel]) -> tuple[tuple[str, ...], int]:
    labels = []
    repaired = 0
    open_entity = OUTSIDE
    for role, begin, inside in parsed:
        continues = role in ("I", "E") and inside == open_entity
        left_open = open_entity != OUTSIDE and not continues
        misplaced = role in ("I", "E") and not continues
        repaired += left_open or misplaced
        labels.append(inside if continues else begin)
        open_entity = inside if role in ("B", "I") else OUTSIDE
    return tuple(labels), repaired + (open_entity != OUTSIDE)


class Scheme(NamedTuple):
    """A scheme's prefix letters, and its conversion to IOB2, which also counts the repaired labels."""

    prefixes: str
    convert: Callable[[Sequence[ParsedLabel]], tuple[tuple[str, ...], int]]


SCHEMES: Mapping[str, Scheme] = {
    "plain": Scheme("", _convert_plain),
    "IOB1": Scheme("BI", _convert_iob1),
    "IOB2": Scheme("BI", _convert_iob2),
    "BIOES": Scheme("BIES", _convert_closed),
    "BILOU": Scheme("BILU", _convert_closed),
    "BMES": Scheme("BMESW", _convert_closed),
}


class LabelConverter:
    """Converts the labels of one corpus from its scheme to IOB2.

    Parameters
    ----------
    scheme
        a name in `SCHEMES`.
    outside
        the labels of tokens outside all entities.
    """

    def __init__(self, scheme: str, outside: Iterable[str] = (OUTSIDE,)) -> None:
        self.scheme = scheme
        self._prefixes, self._convert = SCHEMES[scheme]
        self._outside = frozenset(outside)
        self._parsed: dict[str, ParsedLabel] = dict.fromkeys(self._outside, _OUTSIDE)

    def problem_with(self, label: str) -> str:
        """Return what is wrong with a label in this scheme, or "" if it is valid."""
        if label in self._outside:
            return ""
        prefix, dash, kind = label.partition("-")
        if not label:
            return "label is empty"
        if not self._prefixes:
            return f"label has a prefix in a {self.scheme} corpus" if dash and prefix in ("B", "I") else ""
        if not dash or len(prefix) != 1 or prefix not in self._prefixes:
            return f"label is not valid in {self.scheme}"
        return "" if kind else "label has a prefix but no type"

    def to_iob2(self, labels: Sequence[str]) -> tuple[tuple[str, ...], int]:
        """Convert the labels of one sentence, and count the repairs.

        A repair is an ``I-`` (``E-``, ``L-``) that continues no entity and therefore begins one, or an
        entity without the end that the scheme requires. All labels must be valid, see `problem_with`.
        """
        parsed = self._parsed
        distinct = set(labels)
        if distinct <= self._outside:
            return (OUTSIDE,) * len(labels), 0
        for label in distinct:
            if label not in parsed:
                parsed[label] = self._parse(label)
        return self._convert([parsed[label] for label in labels])

    def _parse(self, label: str) -> ParsedLabel:
        prefix, kind = ("I", label) if not self._prefixes else label.split("-", 1)
        return ParsedLabel(_ROLES[prefix], f"B-{kind}", f"I-{kind}")


def detect_outside_label(labels: Iterable[str]) -> str:
    """Return the label of tokens outside all entities, in a corpus with these labels."""
    distinct = set(labels)
    return next((symbol for symbol in OUTSIDE_SYMBOLS if symbol in distinct), OUTSIDE)


def detect_scheme(sentences: Iterable[Sequence[str]], outside: Iterable[str] = (OUTSIDE,)) -> str:
    """Return the scheme, a name in `SCHEMES`, in which most labels of these sentences are valid.

    A corpus without entities is IOB2. Single mistyped labels do not influence the result.
    """
    outside = frozenset(outside)
    with_entities = [labels for labels in sentences if not outside.issuperset(labels)]
    counts = Counter(label for labels in with_entities for label in labels if label not in outside)
    prefixes: Counter[str] = Counter()
    for label, count in counts.items():
        if label[1:2] == "-" and label[0] in _ROLES:
            prefixes[label[0]] += count
    if 2 * prefixes.total() < counts.total():
        return "plain"
    # In schemes that mark ends, ends are about as frequent as beginnings; a mistyped `E-` is not.
    closings = sum(prefixes[prefix] for prefix in "ELSUW")
    if closings and 2 * closings >= prefixes["B"]:
        return max(("BIOES", "BILOU", "BMES"), key=lambda name: _count(prefixes, SCHEMES[name].prefixes))
    return "IOB1" if prefixes["I"] and _is_iob1(with_entities, outside) else "IOB2"


def _count(prefixes: Counter[str], known: str) -> int:
    return sum(prefixes[prefix] for prefix in known)


def _is_iob1(sentences: Iterable[Sequence[str]], outside: frozenset[str]) -> bool:
    """Whether every ``B-`` follows an entity of its type, the only use of ``B-`` in IOB1."""
    for labels in sentences:
        before = OUTSIDE
        for label in labels:
            if label.startswith("B-") and before[2:] != label[2:]:
                return False
            before = OUTSIDE if label in outside else label
    return True
