"""Checking YAML files of any kind without running anything."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from hpo.cluster.slurm.site_profile import SiteProfile
from hpo.config.search_space import Space
from hpo.config.study import Study, load_study
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
"""What a file is, by a key that only this kind has."""


def validate_file(path: Path) -> str:
    """Check a study, a search space, a tag family, a site's profile or a corpus.yaml, and say which it is.

    Raises
    ------
    UserError
        If the file is invalid; the error lists every problem with its line.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise UserError(Issue(document.location(), "must be a mapping of keys to values"))
    if path.name == "corpus.yaml":
        _check_format(validate(CorpusOptions, document), document)
        return "corpus"
    for kind, (model, key) in KINDS.items():
        if key in document.data:
            validate(model, document)
            return kind
    if not document.data.keys().isdisjoint(SiteProfile.model_fields):  # a study shares no key with it
        validate(SiteProfile, document)
        return "site profile"
    _check_tags(load_study(path), document)
    return "study"


def _check_format(options: CorpusOptions, document: YamlFile) -> None:
    if options.format is not None and options.format not in FORMATS:
        hint = f"known: {', '.join(FORMATS)}"
        raise UserError(
            Issue(document.location(("format",)), "format: unknown corpus format", options.format, hint)
        )


def _check_tags(study: Study, document: YamlFile) -> None:
    known = list_presets("tag_families")
    if not study.tags.endswith((".yaml", ".yml")) and study.tags not in known:
        hint = f"known: {', '.join(known)}"
        raise UserError(Issue(document.location(("tags",)), "tags: unknown tag family", study.tags, hint))
    load_family(study.tags)
