"""Objective functions: dev F1 on one case variant, or the mean or minimum over several."""

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
        """Return the objective in [0, 1] from the F1 of each variant, in the order of ``variants``."""
        return _REDUCE[self.reduction](f1)


def parse_objective(text: str, train_on: str) -> Objective:
    """Parse ``trained-on``, a case variant, or ``mean(…)`` or ``min(…)`` over variants.

    Raises
    ------
    ValueError
        If the text is none of these, or a variant is unknown or named twice.
    """
    call = _CALL.fullmatch(text.strip())
    reduction, inner = call.groups() if call else ("mean", text)
    names = tuple(train_on if name.strip() == TRAINED_ON else name.strip() for name in inner.split(","))
    known = ", ".join((TRAINED_ON, *VARIANTS))
    for name in names:
        if name not in VARIANTS:
            raise ValueError(
                f"{name!r} is not a case variant; known: {known}, and mean(…) and min(…) of several"
            )
    if len(set(names)) < len(names):
        raise ValueError("must name each variant once")
    if len(names) > 1 and not call:
        raise ValueError("must be mean(…) or min(…) for several variants")
    return Objective(reduction, names)
