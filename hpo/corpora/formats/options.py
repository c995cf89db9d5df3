"""What a `corpus.yaml` (or a caller) may tell about a corpus that its files do not show."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.corpora.label_schemes import SCHEMES
from hpo.storage.yaml_files import (
    Key,
    ValidationIssues,
    read_yaml,
    validate,
)

FILE_NAME = "corpus.yaml"
AUTO = "auto"
"""The scheme of a corpus whose scheme is to be found, as if none were told."""
ALSO_CALLED = {"bio": "IOB2", "iob": "IOB1", "iobes": "BIOES", "bieos": "BIOES"}
"""Other names of label schemes, in lower case."""
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trn", "traindata"), "train"),
    **dict.fromkeys(("dev", "development", "devel", "val", "valid", "validation", "testa"), "dev"),
    **dict.fromkeys(("test", "testing", "tst", "testb"), "test"),
}
"""The words by which a split is called, in a `corpus.yaml` and in a file's name."""
_MISSPELT = 0.8
"""How alike, by `difflib`, a name and a split's word are if one is meant for the other."""


class Columns(BaseModel):
    """Where a sentence's parts stand: a column's number from 0 (negative from the end), or its name.

    Numbers are for column files; names for HIPE (``NE-FINE-LIT``), JSONL keys, CSV headers and the
    features of a hub dataset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: int | str | None = None
    label: int | str | None = None
    auto: int | str | None = None
    id: str | None = None


class CorpusOptions(BaseModel):
    """The told facts of a corpus; whatever is left out is found in the files.

    ``splits`` maps a split's name to a file of the folder, and then only those files are read. Each of
    `SPLIT_WORDS` means its split; other names (``wikipedia``, ``test-allmasked``) stay as they are.
    ``scheme`` is one of `SCHEMES`, in any case, one of `ALSO_CALLED`, or ``auto``.
    ``outside`` is the label that stands for "no entity", ``label_names`` are the labels that integer
    tags stand for, in order.
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
        """YAML reads a bare ``0`` as a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("scheme")
    @classmethod
    def _know_scheme(cls, value: str | None) -> str | None:
        if value is None or value.lower() == AUTO:
            return None
        known = {name.lower(): name for name in SCHEMES} | ALSO_CALLED
        if value.lower() not in known:
            raise ValueError(f"unknown label scheme; known: {', '.join((*SCHEMES, AUTO))}")
        return known[value.lower()]

    @field_validator("splits")
    @classmethod
    def _hold_a_split(cls, value: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if value is not None and not value:
            raise ValueError("must name at least one split and its file")
        return value if value is None else _call_splits(value)

    def updated_by(self, other: CorpusOptions | None) -> CorpusOptions:
        """These options, with every field that ``other`` sets taken from there."""
        if other is None:
            return self
        return self.model_copy(update={key: getattr(other, key) for key in other.model_fields_set})


def _call_splits(told: Mapping[str, str]) -> dict[str, str]:
    """The told splits under their own names.

    Raises
    ------
    Broken
        if a split is told twice, or a name is meant for a split's and is none.
    """
    called: dict[str, str] = {}
    issues: list[tuple[Key, str]] = []
    for name, file in told.items():
        split = SPLIT_WORDS.get(name.lower(), name)
        meant = get_close_matches(name.lower(), SPLIT_WORDS, 1, _MISSPELT) if name.isalpha() else []
        if not name.strip():
            issues.append(((name,), "a split needs a name"))
        elif split in called:
            issues.append(((name,), f"the {split} split is told twice"))
        elif meant and meant[0] != name.lower():
            issues.append(((name,), f"no split is called so; write {SPLIT_WORDS[meant[0]]} if that is meant"))
        called[split] = file
    if issues:
        raise ValidationIssues(issues)
    return called


def read_options(folder: Path) -> CorpusOptions:
    """The options that a folder's `corpus.yaml` tells, or none.

    Raises
    ------
    UserError
        if the file is there and is not valid, with every problem at its line.
    """
    path = folder / FILE_NAME
    return validate(CorpusOptions, read_yaml(path)) if path.is_file() else CorpusOptions()
