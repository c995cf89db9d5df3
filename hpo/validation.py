"""Checking YAML files of any kind without running anything."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from hpo.corpora.families import TagFamily
from hpo.corpora.formats.options import CorpusOptions
from hpo.documents import read_yaml, validate
from hpo.errors import Fault, UserError
from hpo.search.spaces import Space
from hpo.study import load_study

KINDS: dict[str, tuple[type[BaseModel], str]] = {
    "search space": (Space, "parameters"),
    "tag family": (TagFamily, "mapping"),
}
"""What a file is, by a key that only this kind has."""


def validate_file(path: Path) -> str:
    """Check a study, a search space, a tag family or a corpus.yaml, and say which it is.

    Raises
    ------
    UserError
        with every fault of the file, each at its line.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise UserError(Fault(document.place(), "must be a mapping of keys to values"))
    if path.name == "corpus.yaml":
        validate(CorpusOptions, document)
        return "corpus"
    for kind, (model, key) in KINDS.items():
        if key in document.data:
            validate(model, document)
            return kind
    load_study(path)
    return "study"
