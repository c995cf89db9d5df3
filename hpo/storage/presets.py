"""Where the YAML files that a user names live: tag families and search spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hpo.errors import unknown

Kind = Literal["tag_families", "search_spaces"]

_PACKAGE = Path(__file__).resolve().parents[1]


def preset_folders(kind: Kind) -> list[Path]:
    """The folders searched, first match wins: the working directory, the checkout, the wheel."""
    candidates = [Path.cwd() / kind, _PACKAGE.parent / kind, _PACKAGE / kind]
    found: list[Path] = []
    for folder in candidates:
        if folder.is_dir() and folder not in found:
            found.append(folder)
    return found


def list_presets(kind: Kind) -> dict[str, Path]:
    """Every member by name, in alphabetical order."""
    named: dict[str, Path] = {}
    for folder in preset_folders(kind):
        for path in folder.glob("*.yaml"):
            named.setdefault(path.stem, path)
    return dict(sorted(named.items()))


def find_preset(kind: Kind, name: str) -> Path:
    """The file of a member, given by its name or as a path to a YAML file.

    Raises
    ------
    UserError
        if there is none, with the names that are known.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    known = list_presets(kind)
    if name not in known:
        raise unknown(kind.replace("_", " "), "name", name, known)
    return known[name]
