"""Files with the scores of one checkpoint each, by split and case variant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from hpo.corpora.spans import Scores
from hpo.storage.atomic import read_json, write_json
from hpo.storage.yaml_files import YamlFile, validate

ScoresBySplit = Mapping[str, Mapping[str, Scores]]
"""Scores by split, then by case variant."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: dict[str, dict[str, Scores]]


def write_scores(path: Path, scores: ScoresBySplit) -> None:
    """Write the scores of one checkpoint."""
    adapter = TypeAdapter(dict[str, dict[str, Scores]])
    write_json(path, adapter.dump_python({name: dict(each) for name, each in scores.items()}, mode="json"))


def read_all_scores(folder: Path) -> dict[int, ScoresBySplit]:
    """Read the scores of every trial that has a file ``NUMBER.json`` in a folder, by trial number.

    Raises
    ------
    UserError
        If a file is invalid.
    """
    return {
        int(path.stem): validate(_Stored, YamlFile(path, {"scores": read_json(path)}, {})).scores
        for path in sorted(folder.glob("*.json"))
        if path.stem.isdigit()
    }
