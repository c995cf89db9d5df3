"""Facts about a corpus that its files do not show, from a `corpus.yaml` or a caller."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.corpora.label_schemes import SCHEMES
from hpo.storage.yaml_files import FieldIssue, ValidationIssues, read_yaml, validate

FILE_NAME = "corpus.yaml"
AUTO = "auto"
"""Detect the label scheme; the same as no scheme."""
SCHEME_ALIASES = {"bio": "IOB2", "iob": "IOB1", "iobes": "BIOES", "bieos": "BIOES"}
"""Other names of label schemes, in lower case."""
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trn", "traindata"), "train"),
    **dict.fromkeys(("dev", "development", "devel", "val", "valid", "validation", "testa"), "dev"),
    **dict.fromkeys(("test", "testing", "tst", "testb"), "test"),
}
"""The names of each split, in a `corpus.yaml` and in file names."""
_TYPO_SIMILARITY = 0.8
"""From this similarity, by `difflib`, an unknown split name is taken for a misspelled one."""


class Columns(BaseModel):
    """The columns of a source: an index from 0 (negative from the end) for column files, otherwise a name.

    Names are HIPE columns (``NE-FINE-LIT``), JSONL keys, CSV headers and features of a hub dataset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: int | str | None = None
    label: int | str | None = None
    auto: int | str | None = None
    id: str | None = None


class CorpusOptions(BaseModel):
    """Facts about a corpus; every field without a value is detected from the files.

    ``splits`` maps the name of a split to a file in the folder; then only these files are read. The names in
    `SPLIT_WORDS` are normalized, others (``wikipedia``, ``test-allmasked``) are kept as they are.
    ``scheme`` is one of `SCHEMES` or `SCHEME_ALIASES`, in upper or lower case, or ``auto``.
    ``outside`` is the label for "no entity"; ``label_names`` are the labels of integer tags, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    format: str | None = None
    splits: Mapping[str, str] | None = None
    columns: Columns = Columns()
    separator: Literal["tab", "space"] | None = None
    scheme: str | None = None
    outside: str | None = Field(default=None, min_length=1)
    label_names: tuple[str, ...] = ()

    @field_validator("outside", mode="before")
    @classmethod
    def _read_digit(cls, value: object) -> object:
        """Convert an integer to a string, because YAML reads an unquoted ``0`` as a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("scheme")
    @classmethod
    def _know_scheme(cls, value: str | None) -> str | None:
        if value is None or value.lower() == AUTO:
            return None
        known = {name.lower(): name for name in SCHEMES} | SCHEME_ALIASES
        if value.lower() not in known:
            raise ValueError(f"unknown label scheme; known: {', '.join((*SCHEMES, AUTO))}")
        return known[value.lower()]

    @field_validator("splits")
    @classmethod
    def _hold_a_split(cls, value: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if value is not None and not value:
            raise ValueError("must name at least one split and its file")
        return value if value is None else _normalize_splits(value)

    def updated_by(self, other: CorpusOptions | None) -> CorpusOptions:
        """Return these options with every field that ``other`` sets replaced by its value."""
        if other is None:
            return self
        return self.model_copy(update={key: getattr(other, key) for key in other.model_fields_set})


def _normalize_splits(splits: Mapping[str, str]) -> dict[str, str]:
    """Replace every name in `SPLIT_WORDS` by the split that it stands for.

    Raises
    ------
    ValidationIssues
        If a split is defined twice, or a name looks like a misspelled split.
    """
    normalized: dict[str, str] = {}
    issues: list[FieldIssue] = []
    for name, file in splits.items():
        split = SPLIT_WORDS.get(name.lower(), name)
        similar = get_close_matches(name.lower(), SPLIT_WORDS, 1, _TYPO_SIMILARITY) if name.isalpha() else []
        if not name.strip():
            issues.append(FieldIssue((name,), "must not be empty"))
        elif split in normalized:
            issues.append(FieldIssue((name,), f"the {split} split is defined twice"))
        elif similar and similar[0] != name.lower():
            issues.append(FieldIssue((name,), f"unknown split; did you mean {SPLIT_WORDS[similar[0]]}?"))
        normalized[split] = file
    if issues:
        raise ValidationIssues(issues)
    return normalized


def read_options(folder: Path) -> CorpusOptions:
    """Read the options from a folder's `corpus.yaml`, if it exists.

    Raises
    ------
    UserError
        If the file is invalid, with every issue at its line.
    """
    path = folder / FILE_NAME
    return validate(CorpusOptions, read_yaml(path)) if path.is_file() else CorpusOptions()
