"""Read datasets of the `datasets` library: from the Hugging Face hub, or from a saved folder."""

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
from hpo.corpora.formats.records import RecordReader, find_keys
from hpo.corpora.formats.sources import Diagnostics, RawSplit
from hpo.corpora.sentences import SPLITS
from hpo.errors import Issue, UserError

SAVED_FILES = ("dataset_dict.json", "state.json")
"""The files by which a folder written by `save_to_disk` is recognized."""
EXPORT_REVISION = "refs/convert/parquet"
"""The branch with the exported data of script datasets; their scripts are never run."""
FETCHING_LIBRARIES = ("datasets.", "huggingface_hub.", "httpx", "requests.")
"""The libraries whose exceptions mean that a dataset is unavailable; they have no common base class."""
LANGUAGE_COLUMN = "lang"
MULTINERD_TYPES = (
    *("PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD"),
    *("INST", "MEDIA", "MYTH", "PLANT", "TIME", "VEHI"),
)

Load = Callable[[str, str | None], Mapping[str, Any]]
"""Loads the splits of a dataset, each a `datasets.Dataset`, given path and configuration."""


@dataclass(frozen=True, slots=True)
class HubDataset:
    """Facts that a hub dataset does not contain.

    ``label_names`` are the labels of its integer tags, ``selected_by`` is the column whose values are used
    like configurations, ``repository`` and ``config`` are its current location.
    """

    label_names: tuple[str, ...] = ()
    selected_by: str | None = None
    repository: str | None = None
    config: str | None = None


KNOWN_DATASETS: Mapping[str, HubDataset] = {
    "Babelscape/multinerd": HubDataset(
        ("O", *(f"{prefix}-{name}" for name in MULTINERD_TYPES for prefix in "BI")), LANGUAGE_COLUMN
    ),
    "conll2003": HubDataset(repository="eriktks/conll2003", config="conll2003"),
    "eriktks/conll2003": HubDataset(config="conll2003"),
}


def is_saved_dataset(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return folder.is_dir() and any((folder / name).is_file() for name in SAVED_FILES)


def read(
    data: str, options: CorpusOptions, diagnostics: Diagnostics, load: Load | None = None
) -> tuple[list[RawSplit], str]:
    """Read the splits of a dataset, and compute the sha256 of their rows.

    Issues have row numbers from 0, as `datasets` counts them.

    Parameters
    ----------
    data
        ``name``, ``name:config`` or the path of a saved folder; ``config`` is a configuration, or a
        language if the dataset has a language column instead of configurations.
    load
        called with path and configuration instead of the `datasets` library.

    Raises
    ------
    UserError
        If the dataset is unavailable, or has no column of tokens or labels.
    """
    name, _, config = data.partition(":")
    known = KNOWN_DATASETS.get(name, HubDataset())
    is_saved = is_saved_dataset(Path(name))
    selects_rows = is_saved or known.selected_by is not None
    load_config = None if selects_rows else config or known.config
    fetch = load or (_load_saved if is_saved else _load_from_hub)
    splits = _fetch(fetch, known.repository or name, load_config, data)
    raw = []
    for split, dataset in _arrange(name, splits, options, diagnostics).items():
        location = f"{name}[{split}]"
        if selects_rows and config:
            dataset = _select(dataset, known.selected_by or LANGUAGE_COLUMN, config, data)
        label_names = options.label_names or known.label_names
        raw.append(_read_split(location, split, dataset, options, label_names, diagnostics))
    return raw, _hash(raw)


def _library() -> Any:
    """Import `datasets` when needed, because it takes a second and most corpora do not need it."""
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
    hint = "check the name and the network; there is no local file or folder of this name"
    if is_saved_dataset(Path(path)):
        hint = "write the folder again with save_to_disk"
    raise UserError(Issue(data, "dataset cannot be loaded", reason, hint))


def _arrange(
    name: str, splits: Mapping[str, Any], options: CorpusOptions, diagnostics: Diagnostics
) -> dict[str, Any]:
    """Return the datasets by normalized split name."""
    if options.splits is not None:
        missing = [name for name in options.splits.values() if name not in splits]
        if missing:
            hint = f"known: {', '.join(splits)}"
            raise UserError(Issue(f"{name}: splits", "dataset has no such split", ", ".join(missing), hint))
        return {split: splits[options.splits[split]] for split in order_splits(list(options.splits))}
    by_split = {split_of(original): original for original in splits}
    chosen = {split: splits[by_split[split]] for split in SPLITS if split in by_split}
    ignored = [original for original in splits if original not in {by_split[split] for split in chosen}]
    diagnostics.notes.extend(f"{name}: split {original} ignored" for original in ignored)
    if not chosen:
        hint = "set `splits: {train: NAME}` in a corpus.yaml"
        raise UserError(Issue(name, "dataset has no train, dev or test split", ", ".join(splits), hint))
    return chosen


def _select(dataset: Any, column: str, value: str, data: str) -> Any:
    if column not in dataset.features:
        hint = "remove the part after the colon"
        raise UserError(Issue(data, f"dataset has no column {column} to select rows by", value, hint))
    values = dataset[column][:]
    rows = [row for row, each in enumerate(values) if each == value]
    if not rows:
        known = ", ".join(sorted(set(map(str, values))))
        raise UserError(Issue(data, f"dataset has no row with this {column}", value, f"known: {known}"))
    return dataset.select(rows)


def _read_split(
    location: str,
    split: str,
    dataset: Any,
    options: CorpusOptions,
    label_names: Sequence[str],
    diagnostics: Diagnostics,
) -> RawSplit:
    available = tuple(dataset.features)
    keys, missing = find_keys(options.columns, available)
    if missing:
        hint = f"columns: {', '.join(available)}; set `columns` in a corpus.yaml"
        raise UserError([Issue(location, "dataset lacks a column", name, hint) for name in missing])
    names = _class_names(dataset.features[keys.label]) or label_names
    auto_names = _class_names(dataset.features[keys.auto]) if keys.auto else ()
    reader = RecordReader(location, diagnostics, names, auto_names)
    empty = [None] * len(dataset)
    columns = [
        dataset[key][:] if key is not None else empty for key in (keys.token, keys.label, keys.auto, keys.id)
    ]
    rows = zip(*columns, strict=True)
    found = [reader.read(row, *values) for row, values in enumerate(rows)]
    return RawSplit(location, split, [sentence for sentence in found if sentence is not None])


def _class_names(feature: Any) -> tuple[str, ...]:
    """Return the label names of a feature that is a list of class labels, otherwise nothing."""
    return tuple(getattr(getattr(feature, "feature", None), "names", None) or ())


def _hash(splits: Sequence[RawSplit]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.name.encode() + b"\n")
        for sentence in split.sentences:
            row = [sentence.id, sentence.tokens, sentence.labels, sentence.auto_labels]
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
