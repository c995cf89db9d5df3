"""Load a corpus from the demo generator, a file, a folder, a saved dataset or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hpo.corpora.formats import find_format, hub
from hpo.corpora.formats.folders import find_splits, split_of
from hpo.corpora.formats.options import CorpusOptions, read_options
from hpo.corpora.formats.sources import Diagnostics, RawSentence, RawSplit, decode
from hpo.corpora.label_schemes import LabelConverter, detect_outside_label, detect_scheme
from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.splits import check_fractions, split_dev_from_train
from hpo.corpora.splits import subsample as subsample_splits
from hpo.errors import Issue, UserError

DEMO = "demo"
_HUB_ID = re.compile(r"[\w-][\w.-]*(?:/[\w.-]+)?(?::[\w.-]+)?")
_FILE_NAME = re.compile(r".*\.(?:jsonl?|[ct]sv|txt|ya?ml|conll\w*|iob2?|bio|bioes)", re.IGNORECASE)


@dataclass(frozen=True)
class LoadedCorpus:
    """A corpus, and the number of labels repaired in each split (both label layers together)."""

    corpus: Corpus
    repaired: Mapping[str, int]


def load(
    data: str,
    *,
    seed: int = 42,
    dev_fraction: float = 0.1,
    options: CorpusOptions | None = None,
    subsample: Mapping[str, float] | None = None,
    split_dev: bool = True,
) -> Corpus:
    """Load the corpus that ``data`` names, with its labels converted to IOB2.

    Parameters
    ----------
    data
        ``demo``, ``demo:multinerd``, a file, a folder of files or of a saved dataset, or a hub id
        ``name:config``.
    seed
        seeds the demo corpus, the dev split drawn from train, and the subsampling; any integer.
    dev_fraction
        the fraction of train, in (0, 1), that becomes dev if the corpus has no dev split.
    options
        facts about the corpus; each takes precedence over the folder's `corpus.yaml`.
    subsample
        the fraction of each named split, in (0, 1], to keep; a smaller one is a subset of a larger one.
    split_dev
        whether to split a missing dev split from train.

    Raises
    ------
    UserError
        If the data does not exist or is invalid; the error lists every issue of every file with its line.
    """
    check_fractions(dev_fraction, subsample or {})
    corpus = read(data, seed=seed, options=options).corpus
    if split_dev and "train" in corpus.splits and "dev" not in corpus.splits:
        corpus = split_dev_from_train(corpus, dev_fraction, seed)
    return subsample_splits(corpus, subsample, seed) if subsample else corpus


def read(data: str, *, seed: int = 42, options: CorpusOptions | None = None) -> LoadedCorpus:
    """Read the corpus that ``data`` names with the splits of its source; ``seed`` seeds the demo corpus.

    Raises
    ------
    UserError
        If the data does not exist or is invalid, as in `load`.
    """
    return _read_demo(data, seed) if data.partition(":")[0] == DEMO else _read_data(data, options)


def _read_demo(data: str, seed: int) -> LoadedCorpus:
    from hpo.corpora.demo import generate

    corpus = generate(seed, data.removeprefix(DEMO).removeprefix(":"))
    return LoadedCorpus(corpus, dict.fromkeys(corpus.splits, 0))


def _read_data(data: str, options: CorpusOptions | None) -> LoadedCorpus:
    try:
        return _read_path(_expand_home(data), options)
    except OSError as error:  # such as a folder without permission, or a name that is too long
        raise UserError(Issue(str(error.filename or data), "cannot be read", error.strerror)) from None


def _expand_home(data: str) -> str:
    if not data.startswith("~"):
        return data
    try:
        return str(Path(data).expanduser())
    except RuntimeError:
        raise UserError(Issue(data, "no such home folder", None, "write the full path")) from None


@dataclass(frozen=True)
class _RawCorpus:
    """The splits of a source as read, and the labels that its format uses for "no entity"."""

    name: str
    splits: list[RawSplit]
    sha256: str
    outside: frozenset[str] = frozenset()


def _read_path(data: str, options: CorpusOptions | None) -> LoadedCorpus:
    diagnostics = Diagnostics()
    path = Path(data)
    saved = Path(data.partition(":")[0])
    if path.exists() and not hub.is_saved_dataset(path):
        facts = read_options(path if path.is_dir() else path.parent).updated_by(options)
        raw = _read_files(path, facts, diagnostics)
    elif hub.is_saved_dataset(saved) or _may_be_hub_id(data):
        facts = read_options(saved).updated_by(options)
        raw = _RawCorpus(path.name, *hub.read(data, facts, diagnostics))
    else:
        hint = f"name a file, a folder, a hub id such as org/name:config, or {DEMO}"
        raise UserError(Issue(data, "no such file or folder", hint=hint))
    return _convert(raw, facts, diagnostics)


def _may_be_hub_id(data: str) -> bool:
    in_local_folder = "/" in data and Path(data).parent.is_dir()  # more likely a typo than a hub id
    return _HUB_ID.fullmatch(data) is not None and _FILE_NAME.fullmatch(data) is None and not in_local_folder


def _read_files(path: Path, options: CorpusOptions, diagnostics: Diagnostics) -> _RawCorpus:
    if path.is_dir():
        name, paths = path.resolve().name, find_splits(path, options.splits, diagnostics.notes)
    else:
        name, paths = path.stem, {split_of(path.name) or "train": path}
    digest = hashlib.sha256()
    sources = []
    for split, file in paths.items():
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UserError(Issue(str(file), "cannot be read", error.strerror)) from None
        digest.update(content)
        sources.append(decode(content, str(file), split, diagnostics))
    file_format = find_format(sources, options.format, str(path))
    splits = file_format.read(sources, options, diagnostics)
    return _RawCorpus(name, splits, digest.hexdigest(), file_format.outside)


def _convert(raw: _RawCorpus, options: CorpusOptions, diagnostics: Diagnostics) -> LoadedCorpus:
    """Convert both label layers to IOB2; raise the issues of all splits, if there are any."""
    for split in raw.splits:
        if not split.sentences and not diagnostics.has_issues(split.location):
            hint = "add a sentence, or remove the split"
            diagnostics.add_issue(split.location, 1, "split has no sentence", hint=hint)
    sentences = [sentence for split in raw.splits for sentence in split.sentences]
    manual = _converter((sentence.labels for sentence in sentences), options, raw.outside)
    layer = (sentence.auto_labels for sentence in sentences if sentence.auto_labels is not None)
    automatic = _converter(layer, options, raw.outside)
    for split in raw.splits:
        _check_labels(
            split.location, [(one.lines, one.labels) for one in split.sentences], manual, diagnostics
        )
        layers = [(one.lines, one.auto_labels) for one in split.sentences if one.auto_labels is not None]
        _check_labels(split.location, layers, automatic, diagnostics)
    diagnostics.raise_issues()
    converted: dict[str, tuple[Sentence, ...]] = {}
    repaired = {}
    for split in raw.splits:
        pairs = [_convert_sentence(sentence, manual, automatic) for sentence in split.sentences]
        converted[split.name] = tuple(sentence for sentence, _ in pairs)
        repaired[split.name] = sum(count for _, count in pairs)
        if repaired[split.name]:
            diagnostics.notes.append(f"{split.name}: labels repaired to IOB2: {repaired[split.name]}")
    if manual.scheme != "IOB2":
        diagnostics.notes.append(f"labels are {manual.scheme}, converted to IOB2")
    locations = _type_locations(raw.splits, converted)
    notes = tuple(diagnostics.notes)
    corpus = Corpus(options.name or raw.name, converted, raw.sha256, notes, locations, manual.scheme)
    return LoadedCorpus(corpus, repaired)


def _converter(
    sentences: Iterable[tuple[str, ...]], options: CorpusOptions, format_outside: frozenset[str]
) -> LabelConverter:
    labels = list(sentences)
    outside = {options.outside or detect_outside_label(chain.from_iterable(labels)), *format_outside}
    return LabelConverter(options.scheme or detect_scheme(labels, outside), outside)


def _check_labels(
    location: str,
    sentences: Sequence[tuple[Sequence[int], tuple[str, ...]]],
    converter: LabelConverter,
    diagnostics: Diagnostics,
) -> None:
    """Add an issue for every invalid label of one layer; ``sentences`` are pairs of lines and labels."""
    distinct = set(chain.from_iterable(labels for _, labels in sentences))
    invalid = {label: problem for label in distinct if (problem := converter.problem_with(label))}
    for lines, labels in sentences if invalid else ():
        for line, label in zip(lines, labels, strict=True):
            if label in invalid:
                hint = "correct the label, or set `scheme` and `outside` in a corpus.yaml"
                diagnostics.add_issue(location, line, invalid[label], label, hint)


def _convert_sentence(
    raw: RawSentence, manual: LabelConverter, automatic: LabelConverter
) -> tuple[Sentence, int]:
    labels, repaired = manual.to_iob2(raw.labels)
    if raw.auto_labels is None:
        return Sentence(raw.tokens, labels, raw.id, None, raw.document), repaired
    auto_labels, also_repaired = automatic.to_iob2(raw.auto_labels)
    return Sentence(raw.tokens, labels, raw.id, auto_labels, raw.document), repaired + also_repaired


def _type_locations(
    splits: Sequence[RawSplit], converted: Mapping[str, tuple[Sentence, ...]]
) -> dict[str, str]:
    """Return the location of the first entity of each type of the manual layer."""
    locations: dict[str, str] = {}
    seen = {"O"}
    for split in splits:
        for raw, sentence in zip(split.sentences, converted[split.name], strict=True):
            if seen.issuperset(sentence.labels):
                continue
            for line, label in zip(raw.lines, sentence.labels, strict=True):
                if label not in seen:
                    locations.setdefault(label[2:], f"{split.location}:{line}")
                    seen.add(label)
    return locations
