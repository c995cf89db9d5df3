"""Validation of YAML files of any kind, without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hpo.cluster.slurm.site_profile import SiteProfile
from hpo.config.search_space import Space
from hpo.config.study import load_study
from hpo.corpora.formats import FORMATS
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.tag_families import TagFamily, load_family
from hpo.errors import Issue, UserError
from hpo.storage.presets import list_presets
from hpo.storage.yaml_files import YamlFile, read_yaml, validate

KINDS: dict[str, tuple[type[BaseModel], str]] = {
    "search space": (Space, "parameters"),
    "tag family": (TagFamily, "mapping"),
}
"""The model of each kind of file, and a key that no other kind has."""


def validate_file(path: Path) -> str:
    """Validate a study, search space, tag family, site profile or corpus.yaml, and return its kind.

    Raises
    ------
    UserError
        If the file is invalid; the error lists every problem with its line.
    """
    file = read_yaml(path)
    if not isinstance(file.data, dict):
        raise UserError(Issue(file.location(), "must be a mapping of keys to values"))
    kind, model = _kind_of(path, file.data)
    issues: list[Issue] = []
    try:
        if model is None:
            load_study(path)
        else:
            validate(model, file)
    except UserError as error:
        issues += error.issues
    if kind == "corpus":
        issues += _unknown_format(file)
    if kind == "study":
        issues += _invalid_tags(file)
    if issues:
        raise UserError(issues)
    return kind


def _kind_of(path: Path, data: dict[str, Any]) -> tuple[str, type[BaseModel] | None]:
    """Return the kind of a file and its model, None for a study."""
    if path.name == "corpus.yaml":
        return "corpus", CorpusOptions
    for kind, (model, key) in KINDS.items():
        if key in data:
            return kind, model
    if not data.keys().isdisjoint(SiteProfile.model_fields):  # a study has no key of a site profile
        return "site profile", SiteProfile
    return "study", None


def _unknown_format(file: YamlFile) -> Iterator[Issue]:
    name = file.data.get("format")
    if isinstance(name, str) and name not in FORMATS:
        yield file.issue(("format",), "unknown corpus format", name, f"known: {', '.join(FORMATS)}")


def _invalid_tags(file: YamlFile) -> Iterator[Issue]:
    name, known = file.data.get("tags"), list_presets("tag_families")
    if not isinstance(name, str) or not name:
        return
    if not name.endswith((".yaml", ".yml")) and name not in known:
        yield file.issue(("tags",), "unknown tag family", name, f"known: {', '.join(known)}")
        return
    try:
        load_family(name)
    except UserError as error:
        yield from error.issues
