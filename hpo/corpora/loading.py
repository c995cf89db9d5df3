"""A corpus from wherever it lies: the demo, a file, a folder, a saved dataset or the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hpo.corpora.formats import find_format, hub
from hpo.corpora.formats.folders import find_splits, split_of
from hpo.corpora.formats.options import CorpusOptions, read_options
from hpo.corpora.formats.sources import Findings, RawSentence, RawSplit, decode
from hpo.corpora.label_schemes import LabelReader, find_outside, find_scheme
from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.splits import check_shares, split_dev_from_train, subsample
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
    dev_share: float = 0.1,
    options: CorpusOptions | None = None,
    prune: Mapping[str, float] | None = None,
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
    dev_share
        the share of train, in (0, 1), that becomes dev if the corpus has no dev split.
    options
        facts about the corpus; each takes precedence over the folder's `corpus.yaml`.
    prune
        the share of each named split, in (0, 1], to keep; a smaller share is a subset of a larger one.
    split_dev
        whether to split a missing dev split from train.

    Raises
    ------
    UserError
        if the data does not exist, or with every issue of every file, each at its line.
    """
    check_shares(dev_share, prune or {})
    corpus = read(data, seed=seed, options=options).corpus
    if split_dev and "train" in corpus.splits and "dev" not in corpus.splits:
        corpus = split_dev_from_train(corpus, dev_share, seed)
    return subsample(corpus, prune, seed) if prune else corpus


def read(data: str, *, seed: int = 42, options: CorpusOptions | None = None) -> LoadedCorpus:
    """Read the corpus that ``data`` names with the splits of its source; ``seed`` seeds the demo corpus.

    Raises
    ------
    UserError
        as `load`.
    """
    return _read_demo(data, seed) if data.partition(":")[0] == DEMO else _read_data(data, options)


def _read_demo(data: str, seed: int) -> LoadedCorpus:
    from hpo.corpora.demo import generate

    corpus = generate(seed, data.removeprefix(DEMO).removeprefix(":"))
    return LoadedCorpus(corpus, dict.fromkeys(corpus.splits, 0))


def _read_data(data: str, options: CorpusOptions | None) -> LoadedCorpus:
    try:
        return _read_place(_expand(data), options)
    except OSError as error:  # any step on the way to a file may be forbidden, or too long a name
        raise UserError(Issue(str(error.filename or data), "cannot be read", error.strerror)) from None


def _expand(data: str) -> str:
    if not data.startswith("~"):
        return data
    try:
        return str(Path(data).expanduser())
    except RuntimeError:
        raise UserError(Issue(data, "no such home folder", None, "write the path out")) from None


def _read_place(data: str, options: CorpusOptions | None) -> LoadedCorpus:
    findings = Findings()
    path = Path(data)
    saved = Path(data.partition(":")[0])
    if path.exists() and not hub.is_saved(path):
        told = read_options(path if path.is_dir() else path.parent).updated_by(options)
        name = path.resolve().name if path.is_dir() else path.stem
        splits, sha256, also_outside = _read_files(path, told, findings)
    elif hub.is_saved(saved) or _may_be_hub_id(data):
        told = read_options(saved).updated_by(options)
        name, also_outside = Path(data).name, frozenset[str]()
        splits, sha256 = hub.read(data, told, findings)
    else:
        hint = f"name a file, a folder, a hub id such as org/name:config, or {DEMO}"
        raise UserError(Issue(data, "no such file or folder", hint=hint))
    return _convert(told.name or name, splits, sha256, told, also_outside, findings)


def _may_be_hub_id(data: str) -> bool:
    in_a_folder_here = "/" in data and Path(data).parent.is_dir()  # more likely mistyped than on the hub
    return _HUB_ID.fullmatch(data) is not None and _FILE_NAME.fullmatch(data) is None and not in_a_folder_here


def _read_files(
    path: Path, options: CorpusOptions, findings: Findings
) -> tuple[list[RawSplit], str, frozenset[str]]:
    if path.is_dir():
        paths = find_splits(path, options.splits, findings.notes)
    else:
        paths = {split_of(path.name) or "train": path}
    digest = hashlib.sha256()
    sources = []
    for split, file in paths.items():
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UserError(Issue(str(file), "file cannot be read", error.strerror)) from None
        digest.update(content)
        sources.append(decode(content, str(file), split, findings))
    kind = find_format(sources, options.format, str(path))
    return kind.read(sources, options, findings), digest.hexdigest(), kind.outside


def _convert(
    name: str,
    splits: Sequence[RawSplit],
    sha256: str,
    options: CorpusOptions,
    also_outside: Iterable[str],
    findings: Findings,
) -> LoadedCorpus:
    """Turn both layers' labels into IOB2; every problem of every split ends the reading here."""
    for split in splits:
        if not split.sentences and not findings.has_faults(split.place):
            findings.issue(split.place, 1, "split holds no sentence", hint="give it one, or leave it out")
    manual = _reader_for((raw.labels for raw in _each(splits)), options, also_outside)
    layer = [raw.auto_labels for raw in _each(splits) if raw.auto_labels is not None]
    automatic = _reader_for(layer, options, also_outside)
    for split in splits:
        _note_bad_labels(split, manual, automatic, findings)
    findings.stop_at_faults()
    converted: dict[str, tuple[Sentence, ...]] = {}
    repaired = {}
    for split in splits:
        pairs = [_convert_sentence(raw, manual, automatic) for raw in split.sentences]
        converted[split.split] = tuple(sentence for sentence, _ in pairs)
        repaired[split.split] = sum(count for _, count in pairs)
        if repaired[split.split]:
            findings.notes.append(f"{split.split}: labels repaired to IOB2: {repaired[split.split]}")
    if manual.scheme != "IOB2":
        findings.notes.append(f"labels are {manual.scheme} and were turned into IOB2")
    places = _find_places(splits, converted)
    corpus = Corpus(name, converted, sha256, tuple(findings.notes), places, manual.scheme)
    return LoadedCorpus(corpus, repaired)


def _each(splits: Sequence[RawSplit]) -> Iterator[RawSentence]:
    return chain.from_iterable(split.sentences for split in splits)


def _reader_for(
    sentences: Iterable[tuple[str, ...]], options: CorpusOptions, also_outside: Iterable[str]
) -> LabelReader:
    held = list(sentences)
    outside = {options.outside or find_outside(chain.from_iterable(held)), *also_outside}
    return LabelReader(options.scheme or find_scheme(held, outside), outside)


def _note_bad_labels(
    split: RawSplit, manual: LabelReader, automatic: LabelReader, findings: Findings
) -> None:
    for pick, reader in ((_manual_of, manual), (_automatic_of, automatic)):
        held = {label for raw in split.sentences for label in pick(raw)}
        bad = {label: rule for label in held if (rule := reader.fault_of(label))}
        for raw in split.sentences if bad else ():
            labels = pick(raw)
            for line, label in zip(raw.lines if labels else (), labels, strict=True):
                if label in bad:
                    hint = "mend the label, or tell `scheme` and `outside` in a corpus.yaml"
                    findings.issue(split.place, line, bad[label], label, hint)


def _manual_of(raw: RawSentence) -> tuple[str, ...]:
    return raw.labels


def _automatic_of(raw: RawSentence) -> tuple[str, ...]:
    return raw.auto_labels or ()


def _convert_sentence(raw: RawSentence, manual: LabelReader, automatic: LabelReader) -> tuple[Sentence, int]:
    labels, repaired = manual.read(raw.labels)
    if raw.auto_labels is None:
        return Sentence(raw.tokens, labels, raw.id, None, raw.document), repaired
    auto_labels, also_repaired = automatic.read(raw.auto_labels)
    return Sentence(raw.tokens, labels, raw.id, auto_labels, raw.document), repaired + also_repaired


def _find_places(splits: Sequence[RawSplit], converted: Mapping[str, tuple[Sentence, ...]]) -> dict[str, str]:
    """Where each type of the manual layer stands first."""
    places: dict[str, str] = {}
    seen = {"O"}
    for split in splits:
        for raw, sentence in zip(split.sentences, converted[split.split], strict=True):
            if seen.issuperset(sentence.labels):
                continue
            for line, label in zip(raw.lines, sentence.labels, strict=True):
                if label not in seen:
                    places.setdefault(label[2:], f"{split.place}:{line}")
                    seen.add(label)
    return places
