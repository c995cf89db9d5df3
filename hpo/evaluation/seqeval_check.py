"""Confirm micro F1 with seqeval, the reference implementation for named-entity recognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hpo.corpora.spans import IntArray, label_names
from hpo.errors import Issue, StudyFailed
from hpo.storage.atomic import read_json
from hpo.storage.yaml_files import YamlFile, validate

TOLERANCE = 1e-9
"""The largest difference between the two F1 that may come from rounding."""


@dataclass(frozen=True)
class ScoredLabels:
    """Gold and predicted IOB2 label numbers by sentence (see `label_names`), and their F1."""

    gold: Sequence[IntArray]
    predicted: Sequence[IntArray]
    types: Sequence[str]
    f1: float


class SeqevalCheck(BaseModel):
    """The micro F1 in [0, 1] by split that seqeval confirmed, on the case variant trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    variant: str
    f1: dict[str, float]

    def __str__(self) -> str:
        splits = " and ".join(self.f1)
        return f"Micro F1 on {splits} ({self.variant}) confirmed with seqeval {self.version}."


def confirm_with_seqeval(splits: Mapping[str, ScoredLabels], variant: str, location: str) -> SeqevalCheck:
    """Recompute the micro F1 of each split with seqeval in its default mode, and compare the two.

    Raises
    ------
    StudyFailed
        If the two differ on a split.
    """
    computed = {split: seqeval_f1(labels) for split, labels in splits.items()}
    installed = version("seqeval")
    issues = [
        Issue(
            f"{location}: {split}, {variant}",
            f"micro F1 must be {computed[split]!r}, as seqeval {installed} computes it",
            splits[split].f1,
            "report this as a bug; the checkpoints are kept",
        )
        for split in computed
        if abs(computed[split] - splits[split].f1) > TOLERANCE
    ]
    if issues:
        raise StudyFailed(issues)
    return SeqevalCheck(version=installed, variant=variant, f1=computed)


def seqeval_f1(labels: ScoredLabels) -> float:
    """Return the micro F1 in [0, 1] that seqeval computes in its default mode; 0 if there are no spans."""
    from seqeval.metrics import f1_score

    # Types are numbered, because seqeval parses their names: it splits labels at hyphens.
    names = label_names([f"T{number}" for number in range(len(labels.types))])
    gold, predicted = (
        [[names[number] for number in sentence] for sentence in side]
        for side in (labels.gold, labels.predicted)
    )
    return float(f1_score(gold, predicted, zero_division=0)) if gold else 0.0


def read_seqeval_check(path: Path) -> SeqevalCheck | None:
    """Read a stored check; None if the file does not exist, as in folders of earlier versions.

    Raises
    ------
    UserError
        If the file is invalid.
    """
    return validate(SeqevalCheck, YamlFile(path, read_json(path), {})) if path.exists() else None
