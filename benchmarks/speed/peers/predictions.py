"""Contestants: a row of the result matrix by 14 calls of ``Trainer.predict`` and seqeval, and by ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from tokenizers import normalizers
from transformers import (
    AutoModelForTokenClassification,
    DataCollatorForTokenClassification,
    PreTrainedTokenizerBase,
    Trainer,
)

from benchmarks.speed.fixtures import Fixture
from benchmarks.speed.peers.examples import SeqevalF1, arguments, encode
from hpo.config.training_config import TINY, TrainingConfig
from hpo.corpora.sentences import Sentence
from hpo.corpora.variants import VARIANTS, apply
from hpo.encoding.encoded_corpus import EncodedCorpus, write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import TINY_MAX_LENGTH, train_wordpiece
from hpo.evaluation.checkpoint_scores import score_checkpoint
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

SPLITS = ("dev", "test")
SEED = 0


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the seconds of both from a model folder to 14 scores, with data encoded beforehand.

    ``spec``: ``fixture``, ``lower`` (a lower-casing tokenizer), ``epochs`` of the model, ``repeat``,
    ``folder``.
    """
    fixture, folder = Fixture(Path(spec["fixture"])), Path(spec["folder"])
    names = fixture.label_names
    splits = {split: fixture.sentences(split) for split in fixture.facts["sentences"]}
    tokenizer = _tokenizer(splits["train"], lower=spec["lower"])
    splits = {split: _within_window(sentences, tokenizer) for split, sentences in splits.items()}
    (folder / "encoded").mkdir()
    data = write_corpus(
        folder / "encoded", splits, names, tokenizer, EncodingOptions(max_length=TINY_MAX_LENGTH, seed=SEED)
    )
    model = _model(data, folder / "model", spec["epochs"])
    tasks = {
        (split, variant): _encode(apply(variant, splits[split], SEED), tokenizer, names)
        for split in SPLITS
        for variant in VARIANTS
    }
    found: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(spec["repeat"]):
        start = time.perf_counter()
        ours = score_checkpoint(model, data, SPLITS)
        found["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        trainer = Trainer(
            model=AutoModelForTokenClassification.from_pretrained(str(model)),
            args=arguments(folder / "trainer", 1, SEED),
            data_collator=DataCollatorForTokenClassification(tokenizer),
            compute_metrics=SeqevalF1(names),
        )
        peer = {task: trainer.predict(dataset).metrics["test_f1"] for task, dataset in tasks.items()}
        found["peer"].append(time.perf_counter() - start)
    differences = [abs(ours[split][variant].f1 - f1) for (split, variant), f1 in peer.items()]
    return found | {
        "equal": sum(difference == 0 for difference in differences),
        "difference": max(differences),
        "f1": ours["dev"]["cased"].f1,
    }


def _tokenizer(sentences: tuple[Sentence, ...], *, lower: bool) -> PreTrainedTokenizerBase:
    if not lower:
        return train_wordpiece(sentence.tokens for sentence in sentences)
    tokenizer = train_wordpiece([token.lower() for token in sentence.tokens] for sentence in sentences)
    tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    return tokenizer


def _within_window(
    sentences: tuple[Sentence, ...], tokenizer: PreTrainedTokenizerBase
) -> tuple[Sentence, ...]:
    """Return the sentences all of whose forms fit into the window; case changes the number of subtokens."""
    fits = [True] * len(sentences)
    for variant in ("cased", "uncased", "ne-lower"):
        forms = [list(each.tokens) for each in apply(variant, sentences, SEED)]
        rows = tokenizer(forms, is_split_into_words=True)["input_ids"]
        fits = [fit and len(row) <= TINY_MAX_LENGTH for fit, row in zip(fits, rows, strict=True)]
    return tuple(each for each, fit in zip(sentences, fits, strict=True) if fit)


def _encode(
    sentences: tuple[Sentence, ...], tokenizer: PreTrainedTokenizerBase, names: tuple[str, ...]
) -> Dataset:
    columns = {
        "tokens": [list(each.tokens) for each in sentences],
        "ner_tags": [list(each.labels) for each in sentences],
    }
    return encode(Dataset.from_dict(columns), tokenizer, names)


def _model(data: EncodedCorpus, folder: Path, epochs: int) -> Path:
    """Train a model briefly, so that it predicts about as many spans as a real one, and return its folder."""
    config = TrainingConfig.model_validate({"learning_rate": 3e-3, "epochs": epochs, "evals_per_epoch": 1})
    task = TrainingTask(training_config=config, corpus=data.folder, model=TINY, train_on="cased", seed=SEED)
    train(task, TrainingCallbacks(lambda measurement: True, lambda measurement: folder))
    return folder
