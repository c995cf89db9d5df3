"""Datasets of the `datasets` library: an id on the Hugging Face hub, or a folder that it saved."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.corpora.formats.folders import order_splits, split_of
from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.records import RecordReader, find_layout
from hpo.corpora.formats.sources import Findings, RawSplit
from hpo.corpora.sentences import SPLITS
from hpo.errors import Issue, UserError

SAVED_MARKS = ("dataset_dict.json", "state.json")
"""A folder with one of these was written by `save_to_disk`."""
EXPORT_REVISION = "refs/convert/parquet"
"""The branch where the hub keeps the data of script datasets, whose scripts are never run."""
FETCHING_LIBRARIES = ("datasets.", "huggingface_hub.", "httpx", "requests.")
"""Whose errors say that data could not be had; they share no base class."""
LANGUAGE_COLUMN = "lang"
MULTINERD_TYPES = (
    *("PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD"),
    *("INST", "MEDIA", "MYTH", "PLANT", "TIME", "VEHI"),
)

Load = Callable[[str, str | None], Mapping[str, Any]]
"""Gives the splits of a dataset, each a `datasets.Dataset`, by path and configuration."""


@dataclass(frozen=True, slots=True)
class HubSet:
    """What a hub dataset does not say of itself.

    ``label_names`` are the names of its integer tags, ``selected_by`` the column whose values take the
    place of configurations, ``repository`` and ``config`` where it lies now.
    """

    label_names: tuple[str, ...] = ()
    selected_by: str | None = None
    repository: str | None = None
    config: str | None = None


HUB_SETS: Mapping[str, HubSet] = {
    "Babelscape/multinerd": HubSet(
        ("O", *(f"{prefix}-{name}" for name in MULTINERD_TYPES for prefix in "BI")), LANGUAGE_COLUMN
    ),
    "conll2003": HubSet(repository="eriktks/conll2003", config="conll2003"),
    "eriktks/conll2003": HubSet(config="conll2003"),
}


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return folder.is_dir() and any((folder / name).is_file() for name in SAVED_MARKS)


def read(
    data: str, options: CorpusOptions, findings: Findings, load: Load | None = None
) -> tuple[list[RawSplit], str]:
    """The splits of a dataset, and the sha256 of their rows.

    Faults name a row from 0, as `datasets` counts them.

    Parameters
    ----------
    data
        ``name``, ``name:config`` or the path of a saved folder; ``config`` is a configuration, or a
        language where the dataset has a column of languages in their place.
    load
        called with path and configuration in the place of the `datasets` library.

    Raises
    ------
    UserError
        if the dataset cannot be had, or has no column of tokens or of labels.
    """
    name, _, config = data.partition(":")
    known = HUB_SETS.get(name, HubSet())
    saved = is_saved(Path(name))
    selects_rows = saved or known.selected_by is not None
    load_config = None if selects_rows else config or known.config
    fetch = load or (_load_saved if saved else _load_from_hub)
    splits = _fetch(fetch, known.repository or name, load_config, data)
    raw = []
    for split, dataset in _arrange(name, splits, options, findings).items():
        place = f"{name}[{split}]"
        if selects_rows and config:
            dataset = _select(dataset, known.selected_by or LANGUAGE_COLUMN, config, data)
        label_names = options.label_names or known.label_names
        raw.append(_read_split(place, split, dataset, options, label_names, findings))
    return raw, _hash(raw)


def _library() -> Any:
    """The `datasets` library, which takes a second to import and which most corpora do not need."""
    return importlib.import_module("datasets")


def _load_saved(path: str, config: str | None) -> Mapping[str, Any]:
    datasets = _library()
    loaded = datasets.load_from_disk(path)
    return loaded if isinstance(loaded, Mapping) else {str(loaded.split or "train"): loaded}


def _load_from_hub(path: str, config: str | None) -> Mapping[str, Any]:
    datasets = _library()
    try:
        loaded: Mapping[str, Any] = datasets.load_dataset(path, name=config)
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        loaded = datasets.load_dataset(path, data_dir=config, revision=EXPORT_REVISION)
    return loaded


def _fetch(load: Load, path: str, config: str | None, data: str) -> Mapping[str, Any]:
    try:
        return load(path, config)
    except Exception as error:
        by_library = type(error).__module__.startswith(FETCHING_LIBRARIES)
        if not (by_library or isinstance(error, OSError | ValueError | RuntimeError | LookupError)):
            raise
        reason = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    hint = "check the name and the network; no file or folder here has that name"
    if is_saved(Path(path)):
        hint = "write the folder anew with save_to_disk"
    raise UserError(Issue(data, "dataset cannot be loaded", reason, hint))


def _arrange(
    name: str, splits: Mapping[str, Any], options: CorpusOptions, findings: Findings
) -> dict[str, Any]:
    """The datasets by the names that splits have here."""
    if options.splits is not None:
        missing = [own for own in options.splits.values() if own not in splits]
        if missing:
            hint = f"it has: {', '.join(splits)}"
            raise UserError(Issue(f"{name}: splits", "dataset has no such split", ", ".join(missing), hint))
        return {split: splits[options.splits[split]] for split in order_splits(list(options.splits))}
    named = {split_of(own): own for own in splits}
    chosen = {split: splits[named[split]] for split in SPLITS if split in named}
    left_out = [own for own in splits if named.get(split_of(own)) != own or split_of(own) not in SPLITS]
    findings.notes.extend(f"{name}: split {own} left out" for own in left_out)
    if not chosen:
        hint = "tell `splits: {train: NAME}`"
        raise UserError(Issue(name, "dataset has no train, dev or test split", ", ".join(splits), hint))
    return chosen


def _select(dataset: Any, column: str, value: str, data: str) -> Any:
    if column not in dataset.features:
        hint = "leave out what follows the colon"
        raise UserError(Issue(data, f"dataset has no column {column} to select by", value, hint))
    values = dataset[column][:]
    rows = [row for row, own in enumerate(values) if own == value]
    if not rows:
        known = ", ".join(sorted(set(map(str, values))))
        raise UserError(Issue(data, f"dataset has no row of this {column}", value, f"known: {known}"))
    return dataset.select(rows)


def _read_split(
    place: str,
    split: str,
    dataset: Any,
    options: CorpusOptions,
    label_names: Sequence[str],
    findings: Findings,
) -> RawSplit:
    held = tuple(dataset.features)
    layout, missing = find_layout(options.columns, held)
    if missing:
        hint = f"it has: {', '.join(held)}; name them with `columns`"
        raise UserError([Issue(place, "dataset lacks a column", name, hint) for name in missing])
    names = _class_names(dataset.features[layout.label]) or label_names
    auto_names = _class_names(dataset.features[layout.auto]) if layout.auto else ()
    reader = RecordReader(place, findings, names, auto_names)
    empty = [None] * len(dataset)
    columns = [
        dataset[key][:] if key is not None else empty
        for key in (layout.token, layout.label, layout.auto, layout.id)
    ]
    rows = zip(*columns, strict=True)
    found = [reader.read(row, *values) for row, values in enumerate(rows)]
    return RawSplit(place, split, [sentence for sentence in found if sentence is not None])


def _class_names(feature: Any) -> tuple[str, ...]:
    """The names of a list of class labels, or none for a list of anything else."""
    return tuple(getattr(getattr(feature, "feature", None), "names", None) or ())


def _hash(splits: Sequence[RawSplit]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.split.encode() + b"\n")
        for sentence in split.sentences:
            row = [sentence.id, sentence.tokens, sentence.labels, sentence.auto_labels]
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
