"""Errors that a user can fix, each reported as one line: location, problem, value, fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXIT_FAILED = 1
"""The work started and did not succeed; for example, no trial finished."""
EXIT_INVALID = 2
"""The input was rejected before any work started."""
EXIT_INTERRUPTED = 130
"""Stopped by the user; finished work is kept."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem with the input, printed as ``location: message (got VALUE; hint)``.

    ``location`` is ``file:line``, ``file:key`` or the name of an option. ``value`` is what was received,
    None if there is nothing to show. ``hint`` says how to fix the problem.
    """

    location: str
    message: str
    value: object = None
    hint: str = ""

    def __str__(self) -> str:
        details = [] if self.value is None else [f"got {self.value!r}"]
        if self.hint:
            details.append(self.hint)
        return f"{self.location}: {self.message}" + (f" ({'; '.join(details)})" if details else "")


class UserError(Exception):
    """An error that the user can fix; the command line prints its issues without a traceback."""

    exit_code = EXIT_INVALID

    def __init__(self, issues: Issue | Iterable[Issue]) -> None:
        self.issues = (issues,) if isinstance(issues, Issue) else tuple(issues)
        super().__init__("\n".join(map(str, self.issues)))


class StudyFailed(UserError):
    """A study ran and produced no result."""

    exit_code = EXIT_FAILED


class StudyInterrupted(UserError):
    """The user stopped a study before its end."""

    exit_code = EXIT_INTERRUPTED


def unknown(location: str, what: str, name: object, known: Iterable[str]) -> UserError:
    """Return the error for a name that is not in a registry, with the known names as its hint."""
    return UserError(Issue(location, f"unknown {what}", name, f"known: {', '.join(known)}"))
