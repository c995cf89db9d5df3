"""Find the YAML files that users refer to by name: tag families and search spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hpo.errors import unknown

Kind = Literal["tag_families", "search_spaces"]

_PACKAGE = Path(__file__).resolve().parents[1]


def preset_folders(kind: Kind) -> list[Path]:
    """Return the existing folders to search, in order: working directory, checkout, installed package."""
    candidates = [Path.cwd() / kind, _PACKAGE.parent / kind, _PACKAGE / kind]
    return list(dict.fromkeys(folder for folder in candidates if folder.is_dir()))


def list_presets(kind: Kind) -> dict[str, Path]:
    """Return every preset by name, in alphabetical order; the first folder that has a name wins."""
    named: dict[str, Path] = {}
    for folder in preset_folders(kind):
        for path in folder.glob("*.yaml"):
            named.setdefault(path.stem, path)
    return dict(sorted(named.items()))


def find_preset(kind: Kind, name: str) -> Path:
    """Return the file of a preset, given its name or the path to a YAML file.

    Raises
    ------
    UserError
        If the name is unknown.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    known = list_presets(kind)
    if name not in known:
        raise unknown(kind.replace("_", " "), "name", name, known)
    return known[name]
