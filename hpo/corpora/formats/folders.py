"""Find the file of each split in a folder, by options or by file name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.corpora.formats.options import FILE_NAME, SPLIT_WORDS
from hpo.corpora.sentences import SPLITS
from hpo.errors import Issue, UserError

MASKED_WORDS = frozenset({"allmasked", "masked"})
"""Words in the names of files without labels, which are used only if `splits` names them."""
IGNORED_NAMES = re.compile(
    r"(?:readme|license|licence|copying|changelog|citation|sha\d*sums?|md5sums?|checksums?)\b", re.IGNORECASE
)
IGNORED_SUFFIXES = frozenset({".md", ".yaml", ".yml", ".py", ".sh", ".bib", ".pdf", ".zip", ".gz", ".cff"})
_HINT = f"assign files to splits in a {FILE_NAME}: `splits: {{train: FILE, test: FILE}}`"


def split_of(name: str) -> str | None:
    """Return the split that a file name indicates, such as ``train`` or ``test-allmasked``, or None."""
    words = _words(name)
    named = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    if len(named) != 1:
        return None
    masks = [word for word in words if word in MASKED_WORDS]
    return "-".join([*named, *masks])


def order_splits(names: Sequence[str]) -> list[str]:
    """Sort split names: train, dev and test first, then others by name."""
    return sorted(set(names), key=lambda name: (SPLITS.index(name) if name in SPLITS else len(SPLITS), name))


def find_splits(folder: Path, assigned: Mapping[str, str] | None, notes: list[str]) -> dict[str, Path]:
    """Return the file of every split of a folder, and add ignored data files to ``notes``.

    ``assigned`` maps splits to file names; without it the splits are taken from the file names.

    Raises
    ------
    UserError
        If an assigned file is missing, the folder has no data file, or the choice is ambiguous.
    """
    if assigned is not None:
        return _check_assigned(folder, assigned)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and _may_be_data(path)]
    if not files:
        folders = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = (
            f"name one of its folders: {', '.join(folders)}" if folders else "name a folder with data files"
        )
        raise UserError(Issue(str(folder), "folder has no data file", hint=hint))
    named: dict[str, list[Path]] = {}
    for path in files:
        named.setdefault(split_of(path.name) or "", []).append(path)
    unnamed = named.pop("", [])
    chosen = {
        split: _choose(split, named, folder, notes) for split in order_splits(list(named)) if split in SPLITS
    }
    if not chosen:
        if len(files) > 1:
            raise UserError(Issue(str(folder), "no file name indicates a split", _list(files), _HINT))
        notes.append(f"{files[0].name}: its name indicates no split; read as train")
        return {"train": files[0]}
    ignored = unnamed + [path for split, paths in named.items() if split not in SPLITS for path in paths]
    notes.extend(f"{path.name}: ignored, its name indicates none of {', '.join(SPLITS)}" for path in ignored)
    return chosen


def _check_assigned(folder: Path, assigned: Mapping[str, str]) -> dict[str, Path]:
    paths = {split: folder / assigned[split] for split in order_splits(list(assigned))}
    missing = [
        Issue(f"{folder}: splits.{split}", "no such file", assigned[split], "name a file in this folder")
        for split, path in paths.items()
        if not path.is_file()
    ]
    if missing:
        raise UserError(missing)
    return paths


def _may_be_data(path: Path) -> bool:
    return not (
        path.name.startswith(".") or IGNORED_NAMES.match(path.name) or path.suffix.lower() in IGNORED_SUFFIXES
    )


def _choose(split: str, named: Mapping[str, list[Path]], folder: Path, notes: list[str]) -> Path:
    """Return the only file of a split, or the only one whose stem another split's file shares."""
    paths = named[split]
    if len(paths) == 1:
        return paths[0]
    stems = {_stem(path) for other in SPLITS if other != split for path in named.get(other, ())}
    matching = [path for path in paths if _stem(path) in stems]
    if len(matching) != 1:
        raise UserError(Issue(str(folder), f"several files match the {split} split", _list(paths), _HINT))
    others = _list([path for path in paths if path != matching[0]])
    notes.append(f"{split} is {matching[0].name}, named like the other splits; ignored: {others}")
    return matching[0]


def _stem(path: Path) -> tuple[str, ...]:
    """Return the words of a file name except split names and numbers."""
    return tuple(word for word in _words(path.name) if word not in SPLIT_WORDS and not word.isdigit())


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _list(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
