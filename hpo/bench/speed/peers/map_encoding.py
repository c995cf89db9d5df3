"""Encoding as the token-classification example has it, beside ours."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.bench.speed.materials import Material
from hpo.bench.speed.peers.examples import encode, read, tokenizer_of
from hpo.training.batching import Rows
from hpo.training.encoding import EncodedCorpus, write_corpus
from hpo.training.tokenization import TINY_MAX_LENGTH


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Sentences per second of both, from sentences in memory or mapped to encoded files on disk.

    Ours encodes three forms of each sentence, the example one; both count sentences. ``spec``: ``material``,
    ``repeat``, ``folder``.
    """
    material, folder = Material(Path(spec["material"])), Path(spec["folder"])
    tokenizer, names = tokenizer_of(material), material.label_names
    splits = tuple(material.facts["sentences"])
    sentences = {split: material.sentences(split) for split in splits}
    texts = read(material, *splits)
    total = sum(map(len, sentences.values()))
    found: dict[str, list[float]] = {"ours": [], "peer": []}
    for repetition in range(spec["repeat"] + 1):
        target = folder / str(repetition)
        target.mkdir()
        at = time.perf_counter()
        write_corpus(target, sentences, names, tokenizer, max_length=TINY_MAX_LENGTH, seed=0)
        ours = time.perf_counter() - at
        for text in texts.values():
            text.cleanup_cache_files()
        at = time.perf_counter()
        encoded = {split: encode(text, tokenizer, names) for split, text in texts.items()}
        peer = time.perf_counter() - at
        if repetition:  # the first warms up
            found["ours"].append(total / ours)
            found["peer"].append(total / peer)
        same = _same(EncodedCorpus.open(target), encoded)
        shutil.rmtree(target)
    return found | {
        "sentences": total,
        "same": same,
        "written": [each.cache_files != [] for each in encoded.values()],
    }


def _same(ours: EncodedCorpus, theirs: Mapping[str, Any]) -> int:
    """How many sentences have the same subtokens and labels in both, as they stand (cased)."""
    same = 0
    for name, dataset in theirs.items():
        split = ours.split(name)
        rows = Rows(split, split.forms[0], ours.pad_id, "first")
        for number, example in enumerate(dataset):
            row = rows.__getitems__([number])
            same += (
                row["input_ids"][0].tolist() == example["input_ids"]
                and row["labels"][0].tolist() == example["labels"]
            )
    return same
