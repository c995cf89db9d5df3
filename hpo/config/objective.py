"""What a search maximizes: a cell of the dev matrix, or the mean or the minimum of several."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from hpo.corpora.variants import VARIANTS

TRAINED_ON = "trained-on"
_CALL = re.compile(r"(mean|min)\((.+)\)")
_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {"mean": fmean, "min": min}


@dataclass(frozen=True)
class Objective:
    """Micro F1 on the dev split of one case variant, or ``mean`` or ``min`` over several."""

    reduction: str
    variants: tuple[str, ...]

    def of(self, f1: Sequence[float]) -> float:
        """The objective, in [0, 1], of the F1 of each variant in order."""
        return _REDUCE[self.reduction](f1)


def parse_objective(text: str, train_on: str) -> Objective:
    """Read ``trained-on``, a case variant, or ``mean(…)`` or ``min(…)`` over variants.

    Raises
    ------
    ValueError
        if it is none of these, or names a variant that there is not, or one twice.
    """
    call = _CALL.fullmatch(text.strip())
    reduction, inner = call.groups() if call else ("mean", text)
    names = tuple(train_on if name.strip() == TRAINED_ON else name.strip() for name in inner.split(","))
    known = ", ".join((TRAINED_ON, *VARIANTS))
    for name in names:
        if name not in VARIANTS:
            raise ValueError(
                f"{name!r} is no cell of the dev matrix (known: {known}; mean(…) and min(…) of several)"
            )
    if len(set(names)) < len(names):
        raise ValueError("a cell may stand only once")
    if len(names) > 1 and not call:
        raise ValueError("say what several cells make: mean(…) or min(…)")
    return Objective(reduction, names)
