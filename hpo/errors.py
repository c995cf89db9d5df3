"""The one way in which a user's mistake is told: where, the rule, the value received, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXIT_FAILED = 1
"""The work was started and did not succeed (no trial finished, say)."""
EXIT_INVALID = 2
"""The input was refused before any work started."""
EXIT_INTERRUPTED = 130
"""Stopped by the user; what was done is kept."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: ``where`` is ``file:line``, ``file:key`` or an option's name."""

    where: str
    rule: str
    value: object = None
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.rule}"
        if self.value is not None:
            text += f": {self.value!r}"
        if self.remedy:
            text += f" ({self.remedy})"
        return text


class UserError(Exception):
    """A mistake that the user can mend; the command line prints its faults and no traceback."""

    exit_code = EXIT_INVALID

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        self.faults = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class StudyFailed(UserError):
    """A study that ran and has nothing to show for it."""

    exit_code = EXIT_FAILED


class StudyInterrupted(UserError):
    """A study that the user stopped before its end."""

    exit_code = EXIT_INTERRUPTED


def unknown(where: str, what: str, name: object, known: Iterable[str]) -> UserError:
    """The refusal of a name that is not in a registry, with the names that are."""
    return UserError(Fault(where, f"unknown {what}", name, f"known: {', '.join(known)}"))
