"""What a `corpus.yaml` (or a caller) may tell about a corpus that its files do not show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.corpora.schemes import SCHEMES
from hpo.documents import read_yaml, validate

FILE_NAME = "corpus.yaml"


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

    ``splits`` maps a split's name to a file of the folder, and then only those files are read.
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
        if value is not None and value not in SCHEMES:
            raise ValueError(f"unknown label scheme; known: {', '.join(SCHEMES)}")
        return value

    @field_validator("splits")
    @classmethod
    def _hold_a_split(cls, value: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if value is not None and not value:
            raise ValueError("must name at least one split and its file")
        return value

    def updated_by(self, other: CorpusOptions | None) -> CorpusOptions:
        """These options, with every field that ``other`` sets taken from there."""
        if other is None:
            return self
        return self.model_copy(update={key: getattr(other, key) for key in other.model_fields_set})


def read_options(folder: Path) -> CorpusOptions:
    """The options that a folder's `corpus.yaml` tells, or none.

    Raises
    ------
    UserError
        if the file is there and is not valid, with every fault at its line.
    """
    path = folder / FILE_NAME
    return validate(CorpusOptions, read_yaml(path)) if path.is_file() else CorpusOptions()
