"""Sentences from records of lists: what a JSON object, a CSV row and a dataset row have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.corpora.formats.options import Columns
from hpo.corpora.formats.sources import Findings, RawSentence

TOKEN_KEYS = ("tokens", "words")
LABEL_KEYS = ("ner_tags", "tags", "labels", "ner")
AUTO_KEYS = ("auto_tags",)
ID_KEYS = ("id", "sent_id")
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys under which a source's records keep tokens, labels, automatic labels and id."""

    token: str
    label: str
    auto: str | None = None
    id: str | None = None


class RecordReader:
    """Checks the records of one source and makes sentences of them.

    ``label_names`` are the labels that integers stand for, in order; ``auto_names`` the same for the
    automatic layer.
    """

    def __init__(
        self,
        place: str,
        findings: Findings,
        label_names: Sequence[str] = (),
        auto_names: Sequence[str] = (),
    ) -> None:
        self._place = place
        self._findings = findings
        self._names = label_names
        self._auto_names = auto_names

    def read(
        self, line: int, tokens: Any, labels: Any, auto: Any = None, id: Any = None
    ) -> RawSentence | None:
        """The sentence of one record, or nothing if it has no token or a problem (which is noted)."""
        words = self._words(line, tokens)
        tags = self._tags(line, "labels", labels, self._names)
        auto_tags = None if auto is None else self._tags(line, "automatic labels", auto, self._auto_names)
        if words is None or tags is None or (auto is not None and auto_tags is None):
            return None
        counted = [("labels", tags)] + ([] if auto_tags is None else [("automatic labels", auto_tags)])
        unequal = [f"{len(values)} {what}" for what, values in counted if len(values) != len(words)]
        if unequal:
            count = f"{len(words)} tokens, {', '.join(unequal)}"
            self._note(line, "tokens and labels differ in number", count, "give each token one label")
            return None
        if not words:
            return None
        name = "" if id is None else str(id)
        return RawSentence(words, tags, (line,) * len(words), name, auto_tags)

    def _words(self, line: int, tokens: Any) -> tuple[str, ...] | None:
        if not isinstance(tokens, list) or any(type(token) is not str for token in tokens):
            wrong = _first_not(str, tokens)
            self._note(line, "tokens must be a list of strings", wrong, "write every token as a string")
            return None
        if "" in tokens:
            where = f"token {tokens.index('')} from 0"
            self._note(line, "token is empty", where, "remove it and its label")
            return None
        # Joined, since a search per token would cost more than all the other checks.
        if _NO_CHARACTER.search("".join(tokens)):
            wrong = next(token for token in tokens if _NO_CHARACTER.search(token))
            self._note(line, "token has a NUL or half a surrogate pair", ascii(wrong), "remove it")
            return None
        return tuple(tokens)

    def _tags(self, line: int, what: str, labels: Any, names: Sequence[str]) -> tuple[str, ...] | None:
        if not isinstance(labels, list):
            self._note(line, f"{what} must be a list", labels, "write one label per token")
            return None
        kinds = set(map(type, labels))
        if kinds <= {str}:
            return tuple(labels)
        if kinds != {int}:
            wrong = _first_not(str, labels)
            self._note(line, f"{what} must be strings", wrong, "write every label as a string")
            return None
        if not names:
            hint = "tell what they stand for as `label_names` in a corpus.yaml"
            self._note(line, f"{what} are numbers without names", labels[0], hint)
            return None
        unnamed = [number for number in labels if not 0 <= number < len(names)]
        if unnamed:
            hint = f"there are {len(names)} label names, from 0"
            self._note(line, f"{what} have a number without a name", unnamed[0], hint)
            return None
        return tuple(names[number] for number in labels)

    def _note(self, line: int, rule: str, value: object, hint: str) -> None:
        self._findings.issue(self._place, line, rule, value, hint)


def _first_not(kind: type, values: Any) -> Any:
    if not isinstance(values, list):
        return values
    return next(value for value in values if type(value) is not kind)


def find_layout(columns: Columns, held: Sequence[str]) -> tuple[Layout, list[str]]:
    """Where records with these keys keep what, and the names that are needed or told and not among them."""

    def find(told: int | str | None, known: Sequence[str]) -> str | None:
        return str(told) if told is not None else next((key for key in known if key in held), None)

    layout = Layout(
        find(columns.token, TOKEN_KEYS) or TOKEN_KEYS[0],
        find(columns.label, LABEL_KEYS) or LABEL_KEYS[0],
        find(columns.auto, AUTO_KEYS),
        find(columns.id, ID_KEYS),
    )
    needed = (layout.token, layout.label, layout.auto, layout.id)
    return layout, [key for key in needed if key is not None and key not in held]
