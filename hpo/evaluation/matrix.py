"""The result matrix as data: one row per study, with the scores of its best model on every case variant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.config.renamed_keys import translate_params
from hpo.corpora.sentences import SPLITS
from hpo.corpora.spans import Scores
from hpo.corpora.variants import VARIANTS
from hpo.errors import Issue, UserError
from hpo.storage.atomic import read_json
from hpo.storage.yaml_files import YamlFile, validate

UnitInterval = Annotated[float, Field(ge=0, le=1)]
Score = Scores | UnitInterval | None
"""Scores with span counts; only micro F1 if the source has no more; None if not run."""
HyperparameterValue = bool | int | float | str | None


class MatrixRow(BaseModel):
    """One row: a tag family, the case variant trained on, and the algorithm that found the model.

    ``tag_family`` and ``algorithm`` are display names. ``scores`` holds a score by split and variant,
    ``hyperparameters`` the winning configuration; both may be partial. The other fields record the source
    of the row and are None if unknown: a row copied from a paper has no study.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    tag_family: str
    trained_on: str
    algorithm: str
    scores: dict[str, dict[str, Score]] = {}
    hyperparameters: dict[str, HyperparameterValue] = {}
    study: str | None = None
    corpus: str | None = None
    corpus_sha256: str | None = None
    model: str | None = None
    seed: int | None = None

    _present_names = field_validator("hyperparameters", mode="before")(translate_params)

    @field_validator("trained_on")
    @classmethod
    def _variant(cls, name: str) -> str:
        _require_known([name], VARIANTS)
        return name

    @field_validator("scores")
    @classmethod
    def _splits_and_variants(cls, scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, Score]]:
        _require_known(scores, SPLITS)
        for by_variant in scores.values():
            _require_known(by_variant, VARIANTS)
        return scores

    def f1(self, split: str, variant: str) -> float | None:
        """Return the micro F1 in [0, 1] of one cell, or None if it was not run."""
        score = self.scores.get(split, {}).get(variant)
        return score.f1 if isinstance(score, Scores) else score


class Matrix(BaseModel):
    """The rows of a result matrix; ``matrix.json`` is its ``model_dump(mode="json")``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[MatrixRow, ...] = Field(min_length=1)


def read_matrix(path: Path) -> Matrix:
    """Read a ``matrix.json``.

    Raises
    ------
    UserError
        If the file is missing, is not JSON, or is invalid.
    """
    try:
        data = read_json(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(Issue(str(path), "cannot be read", str(error))) from None
    except json.JSONDecodeError as error:
        raise UserError(Issue(f"{path}:{error.lineno}", "is not valid JSON", error.msg)) from None
    return validate(Matrix, YamlFile(path, data, {}))


def sort_rows(rows: Iterable[MatrixRow]) -> list[MatrixRow]:
    """Sort rows by tag family, then by the variant trained on in the order of `VARIANTS`, then by algorithm.

    Numbers within names sort numerically: ASHA-27 before ASHA-100.
    """
    return sorted(
        rows,
        key=lambda row: (
            _natural(row.tag_family),
            VARIANTS.index(row.trained_on),
            _natural(row.algorithm),
            _natural(row.study or ""),
        ),
    )


def _require_known(names: Iterable[str], known: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{', '.join(unknown)}: must be among {', '.join(known)}")


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts]
