"""Convert records of lists to sentences, for JSON objects, CSV rows and dataset rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.corpora.formats.options import Columns
from hpo.corpora.formats.sources import Diagnostics, RawSentence

TOKEN_KEYS = ("tokens", "words")
LABEL_KEYS = ("ner_tags", "tags", "labels", "ner")
AUTO_KEYS = ("auto_tags",)
ID_KEYS = ("id", "sent_id")
_INVALID_CHARACTER = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys of tokens, labels, automatic labels and id in the records of a source."""

    token: str
    label: str
    auto: str | None = None
    id: str | None = None


class RecordReader:
    """Validates the records of one source and converts them to sentences.

    ``label_names`` are the labels of integer tags, in order; ``auto_names`` are those of the automatic
    layer.
    """

    def __init__(
        self,
        location: str,
        diagnostics: Diagnostics,
        label_names: Sequence[str] = (),
        auto_names: Sequence[str] = (),
    ) -> None:
        self._location = location
        self._diagnostics = diagnostics
        self._names = label_names
        self._auto_names = auto_names

    def read(
        self, line: int, tokens: Any, labels: Any, auto: Any = None, id: Any = None
    ) -> RawSentence | None:
        """Return the sentence of a record, or None if it has no token or an issue (which is added)."""
        words = self._words(line, tokens)
        tags = self._tags(line, "labels", labels, self._names)
        auto_tags = None if auto is None else self._tags(line, "automatic labels", auto, self._auto_names)
        if words is None or tags is None or (auto is not None and auto_tags is None):
            return None
        layers = [("labels", tags)] + ([] if auto_tags is None else [("automatic labels", auto_tags)])
        unequal = [f"{len(values)} {what}" for what, values in layers if len(values) != len(words)]
        if unequal:
            count = f"{len(words)} tokens, {', '.join(unequal)}"
            self._add_issue(line, "tokens and labels differ in number", count, "give each token one label")
            return None
        if not words:
            return None
        name = "" if id is None else str(id)
        return RawSentence(words, tags, (line,) * len(words), name, auto_tags)

    def _words(self, line: int, tokens: Any) -> tuple[str, ...] | None:
        if not isinstance(tokens, list) or any(type(token) is not str for token in tokens):
            wrong = _first_not(str, tokens)
            self._add_issue(line, "tokens must be a list of strings", wrong, "write every token as a string")
            return None
        if "" in tokens:
            index = f"token {tokens.index('')} from 0"
            self._add_issue(line, "token is empty", index, "remove it and its label")
            return None
        # One search in the joined tokens: a search per token would cost more than all other checks.
        if _INVALID_CHARACTER.search("".join(tokens)):
            wrong = next(token for token in tokens if _INVALID_CHARACTER.search(token))
            self._add_issue(line, "token has a NUL or an unpaired surrogate", ascii(wrong), "remove it")
            return None
        return tuple(tokens)

    def _tags(self, line: int, what: str, labels: Any, names: Sequence[str]) -> tuple[str, ...] | None:
        if not isinstance(labels, list):
            self._add_issue(line, f"{what} must be a list", labels, "write one label per token")
            return None
        kinds = set(map(type, labels))
        if kinds <= {str}:
            return tuple(labels)
        if kinds != {int}:
            wrong = _first_not(str, labels)
            self._add_issue(line, f"{what} must be strings", wrong, "write every label as a string")
            return None
        if not names:
            hint = "set `label_names` in a corpus.yaml"
            self._add_issue(line, f"{what} are numbers without names", labels[0], hint)
            return None
        unnamed = [number for number in labels if not 0 <= number < len(names)]
        if unnamed:
            hint = f"there are {len(names)} label names, numbered from 0"
            self._add_issue(line, f"{what} contain a number without a name", unnamed[0], hint)
            return None
        return tuple(names[number] for number in labels)

    def _add_issue(self, line: int, message: str, value: object, hint: str) -> None:
        self._diagnostics.add_issue(self._location, line, message, value, hint)


def _first_not(kind: type, values: Any) -> Any:
    if not isinstance(values, list):
        return values
    return next(value for value in values if type(value) is not kind)


def find_keys(columns: Columns, available: Sequence[str]) -> tuple[RecordKeys, list[str]]:
    """Return the keys to read from records with the available keys, and those among them that are missing."""

    def find(given: int | str | None, known: Sequence[str]) -> str | None:
        return str(given) if given is not None else next((key for key in known if key in available), None)

    keys = RecordKeys(
        find(columns.token, TOKEN_KEYS) or TOKEN_KEYS[0],
        find(columns.label, LABEL_KEYS) or LABEL_KEYS[0],
        find(columns.auto, AUTO_KEYS),
        find(columns.id, ID_KEYS),
    )
    needed = (keys.token, keys.label, keys.auto, keys.id)
    return keys, [key for key in needed if key is not None and key not in available]
