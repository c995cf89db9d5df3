"""Contestants: encoding a corpus with ``datasets.map``, as in the token-classification example, and ours."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.fixtures import Fixture
from benchmarks.speed.peers.examples import encode, read, tokenizer_of
from hpo.corpora.sentences import Sentence
from hpo.corpora.variants import FORMS, form
from hpo.encoding.encoded_corpus import EncodedCorpus, write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import TINY_MAX_LENGTH
from hpo.encoding.window_dataset import WindowDataset


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the sentences of the corpus per second, from memory to encoded files on disk.

    Ours and ``peer`` encode three forms of each sentence, ``peer_once`` the cased form only. ``spec``:
    ``fixture``, ``repeat``, ``folder``.
    """
    fixture, folder = Fixture(Path(spec["fixture"])), Path(spec["folder"])
    tokenizer, names = tokenizer_of(fixture), fixture.label_names
    sentences = {split: fixture.sentences(split) for split in fixture.facts["sentences"]}
    texts = {
        "peer": read(_in_all_forms(sentences, folder), *sentences),
        "peer_once": read(fixture, *sentences),
    }
    total = sum(map(len, sentences.values()))
    found: dict[str, list[float]] = {"ours": [], "peer": [], "peer_once": []}
    for repetition in range(spec["repeat"] + 1):
        target = folder / str(repetition)
        target.mkdir()
        seconds, mapped = {}, {}
        start = time.perf_counter()
        write_corpus(target, sentences, names, tokenizer, EncodingOptions(max_length=TINY_MAX_LENGTH, seed=0))
        seconds["ours"] = time.perf_counter() - start
        for contestant, splits in texts.items():
            for text in splits.values():
                text.cleanup_cache_files()
            start = time.perf_counter()
            mapped[contestant] = {split: encode(text, tokenizer, names) for split, text in splits.items()}
            seconds[contestant] = time.perf_counter() - start
        if repetition:  # the first is a warm-up
            for contestant, elapsed in seconds.items():
                found[contestant].append(total / elapsed)
        same = _count_same(EncodedCorpus.open(target), mapped["peer"])
        shutil.rmtree(target)
    return found | {"encodings": len(FORMS) * total, "same": same}


def _in_all_forms(sentences: Mapping[str, Sequence[Sentence]], folder: Path) -> Fixture:
    fixture = Fixture(folder)
    for split, each in sentences.items():
        fixture.write(split, (form(sentence, name) for name in FORMS for sentence in each))
    return fixture


def _count_same(ours: EncodedCorpus, peer: Mapping[str, Any]) -> int:
    """Count the encodings that have the same subtokens and labels in both."""
    same = 0
    for name, dataset in peer.items():
        split = ours.split(name)
        windows = WindowDataset(split, split.forms.ravel(), ours.pad_id, "first")
        for number, example in enumerate(dataset):
            batch = windows.padded_batch([number], pooled=False)
            same += (
                batch["input_ids"][0].tolist() == example["input_ids"]
                and batch["labels"][0].tolist() == example["labels"]
            )
    return same
