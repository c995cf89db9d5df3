"""Encoding as the token-classification example has it, beside ours."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.fixtures import Material
from benchmarks.speed.peers.examples import encode, read, tokenizer_of
from hpo.corpora.sentences import Sentence
from hpo.corpora.variants import FORMS, form
from hpo.encoding.encoded_corpus import EncodedCorpus, write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import TINY_MAX_LENGTH
from hpo.encoding.window_dataset import WindowDataset


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Sentences per second, from sentences in memory or mapped to encoded files on disk.

    Ours encodes three forms of each sentence; ``peer`` is given the three, ``peer_once`` the sentences as
    they stand. All count the corpus' sentences. ``spec``: ``material``, ``repeat``, ``folder``.
    """
    material, folder = Material(Path(spec["material"])), Path(spec["folder"])
    tokenizer, names = tokenizer_of(material), material.label_names
    sentences = {split: material.sentences(split) for split in material.facts["sentences"]}
    texts = {
        "peer": read(_in_all_forms(sentences, folder), *sentences),
        "peer_once": read(material, *sentences),
    }
    total = sum(map(len, sentences.values()))
    found: dict[str, list[float]] = {"ours": [], "peer": [], "peer_once": []}
    for repetition in range(spec["repeat"] + 1):
        target = folder / str(repetition)
        target.mkdir()
        took, mapped = {}, {}
        at = time.perf_counter()
        write_corpus(target, sentences, names, tokenizer, EncodingOptions(max_length=TINY_MAX_LENGTH, seed=0))
        took["ours"] = time.perf_counter() - at
        for arm, splits in texts.items():
            for text in splits.values():
                text.cleanup_cache_files()
            at = time.perf_counter()
            mapped[arm] = {split: encode(text, tokenizer, names) for split, text in splits.items()}
            took[arm] = time.perf_counter() - at
        if repetition:  # the first warms up
            for arm, seconds in took.items():
                found[arm].append(total / seconds)
        same = _same(EncodedCorpus.open(target), mapped["peer"])
        shutil.rmtree(target)
    return found | {
        "encodings": len(FORMS) * total,
        "same": same,
        "written": [each.cache_files != [] for each in mapped["peer"].values()],
    }


def _in_all_forms(sentences: Mapping[str, Sequence[Sentence]], folder: Path) -> Material:
    material = Material(folder)
    for split, each in sentences.items():
        material.write(split, (form(sentence, name) for name in FORMS for sentence in each))
    return material


def _same(ours: EncodedCorpus, theirs: Mapping[str, Any]) -> int:
    """How many forms of sentences have the same subtokens and labels in both."""
    same = 0
    for name, dataset in theirs.items():
        split = ours.split(name)
        rows = WindowDataset(split, split.forms.ravel(), ours.pad_id, "first")
        for number, example in enumerate(dataset):
            row = rows.padded_batch([number], pooled=False)
            same += (
                row["input_ids"][0].tolist() == example["input_ids"]
                and row["labels"][0].tolist() == example["labels"]
            )
    return same
