"""Which files of a folder are which splits, told or read off their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.corpora.formats.options import FILE_NAME, SPLIT_WORDS
from hpo.corpora.sentences import SPLITS
from hpo.errors import Issue, UserError

MASKED_WORDS = frozenset({"allmasked", "masked"})
"""Words of a file whose labels were withheld: it is no split of its own accord."""
IGNORED_NAMES = re.compile(
    r"(?:readme|license|licence|copying|changelog|citation|sha\d*sums?|md5sums?|checksums?)\b", re.IGNORECASE
)
IGNORED_SUFFIXES = frozenset({".md", ".yaml", ".yml", ".py", ".sh", ".bib", ".pdf", ".zip", ".gz", ".cff"})
_ASK = f"say which file is which split in a {FILE_NAME}: `splits: {{train: FILE, test: FILE}}`"


def split_of(name: str) -> str | None:
    """The split that a file's name says, such as ``train`` or ``test-allmasked``, if it says one."""
    words = _words(name)
    named = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    if len(named) != 1:
        return None
    masks = [word for word in words if word in MASKED_WORDS]
    return "-".join([*named, *masks])


def order_splits(names: Sequence[str]) -> list[str]:
    """Train, dev and test first, in this order, then others by name."""
    return sorted(set(names), key=lambda name: (SPLITS.index(name) if name in SPLITS else len(SPLITS), name))


def find_splits(folder: Path, told: Mapping[str, str] | None, notes: list[str]) -> dict[str, Path]:
    """The file of every split of a folder; files that are left out are said in ``notes``.

    Raises
    ------
    UserError
        if a told file is missing, if no file can be data, or if it is unclear which file is a split.
    """
    if told is not None:
        return _check_told(folder, told)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and _may_be_data(path)]
    if not files:
        folders = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = (
            f"name one of its folders: {', '.join(folders)}" if folders else "name a folder with data files"
        )
        raise UserError(Issue(str(folder), "folder holds no data file", hint=hint))
    named: dict[str, list[Path]] = {}
    for path in files:
        named.setdefault(split_of(path.name) or "", []).append(path)
    unnamed = named.pop("", [])
    chosen = {
        split: _choose(split, named, folder, notes) for split in order_splits(list(named)) if split in SPLITS
    }
    if not chosen:
        if len(files) > 1:
            raise UserError(Issue(str(folder), "no file name says its split", _list(files), _ASK))
        notes.append(f"{files[0].name}: its name says no split, so it is read as train")
        return {"train": files[0]}
    left_out = unnamed + [path for split, paths in named.items() if split not in SPLITS for path in paths]
    notes.extend(f"{path.name}: left out, its name says none of {', '.join(SPLITS)}" for path in left_out)
    return chosen


def _check_told(folder: Path, told: Mapping[str, str]) -> dict[str, Path]:
    paths = {split: folder / told[split] for split in order_splits(list(told))}
    missing = [
        Issue(f"{folder}: splits.{split}", "no such file", told[split], "name a file of this folder")
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
    """The file of a split: the only one, or the only one that shares its stem with other splits' files."""
    paths = named[split]
    if len(paths) == 1:
        return paths[0]
    stems = {_stem(path) for other in SPLITS if other != split for path in named.get(other, ())}
    kin = [path for path in paths if _stem(path) in stems]
    if len(kin) != 1:
        raise UserError(Issue(str(folder), f"several files could be the {split} split", _list(paths), _ASK))
    others = _list([path for path in paths if path != kin[0]])
    notes.append(f"{split} is {kin[0].name}, named like the other splits; left out: {others}")
    return kin[0]


def _stem(path: Path) -> tuple[str, ...]:
    """What a file's name says besides its split and numbers."""
    return tuple(word for word in _words(path.name) if word not in SPLIT_WORDS and not word.isdigit())


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _list(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
