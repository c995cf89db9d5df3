"""The Hugging Face token-classification example: its tokenization, collator, metric, and a plain Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, load_dataset
from seqeval.metrics import f1_score
from transformers import (
    AutoTokenizer,
    BertForTokenClassification,
    DataCollatorForTokenClassification,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from benchmarks.speed.fixtures import Fixture
from hpo.config.training_config import TINY, TrainingConfig
from hpo.models.build import build_model

BATCH = 32


def read(fixture: Fixture, *splits: str) -> dict[str, Dataset]:
    """Some splits, as the example reads JSON lines."""
    files = {split: str(fixture.path(split)) for split in splits}
    return dict(load_dataset("json", data_files=files))


def tokenizer_of(fixture: Fixture) -> PreTrainedTokenizerBase:
    """The tokenizer that our arm encodes with."""
    return AutoTokenizer.from_pretrained(str(fixture.encoded / "tokenizer"))


class Alignment:
    """``tokenize_and_align_labels`` of the example: a word's first subtoken carries its label."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, label_names: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._numbers = {name: number for number, name in enumerate(label_names)}

    def __call__(self, examples: dict[str, Any]) -> Any:
        """Encode a batch of sentences."""
        encoded = self._tokenizer(examples["tokens"], truncation=True, is_split_into_words=True)
        labels = []
        for place, names in enumerate(examples["ner_tags"]):
            previous, row = None, []
            for word in encoded.word_ids(batch_index=place):
                row.append(-100 if word is None or word == previous else self._numbers[names[word]])
                previous = word
            labels.append(row)
        encoded["labels"] = labels
        return encoded


def encode(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, label_names: tuple[str, ...]) -> Dataset:
    """A split, tokenized and aligned by ``datasets.map``."""
    align = Alignment(tokenizer, label_names)
    return dataset.map(align, batched=True, remove_columns=dataset.column_names)


class SeqevalF1:
    """``compute_metrics`` of the example: labels as strings, micro F1 by seqeval."""

    def __init__(self, label_names: tuple[str, ...]) -> None:
        self._names = label_names

    def __call__(self, answers: Any) -> dict[str, float]:
        """The F1 of some predictions."""
        logits, labels = answers
        predicted = np.argmax(logits, axis=2)
        predicted = [
            [self._names[p] for p, gold in zip(row, marks, strict=True) if gold != -100]
            for row, marks in zip(predicted, labels, strict=True)
        ]
        gold = [[self._names[mark] for mark in marks if mark != -100] for marks in labels]
        return {"f1": float(f1_score(gold, predicted))}


class TinyModel:
    """``model_init``: the model that our arm trains, drawn from a seed; ``heard`` is told of each trial."""

    def __init__(self, fixture: Fixture, vocabulary: int, seed: int, heard: Any = None) -> None:
        self._names, self._vocabulary, self._seed = fixture.label_names, vocabulary, seed
        self._heard = heard

    def __call__(self, trial: Any = None) -> BertForTokenClassification:
        """A fresh model."""
        if trial is not None and self._heard is not None:
            self._heard()
        return build_model(TINY, self._names, self._vocabulary, TrainingConfig.model_validate({}), self._seed)


def arguments(output: Path, epochs: int, seed: int, **others: Any) -> TrainingArguments:
    """What every Trainer here is given; all else is the library's default."""
    return TrainingArguments(
        output_dir=str(output),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        seed=seed,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **others,
    )


def build_trainer(fixture: Fixture, args: TrainingArguments, heard: Any = None, **others: Any) -> Trainer:
    """A plain Trainer on the material's train and dev splits, with the default batching."""
    tokenizer, names = tokenizer_of(fixture), fixture.label_names
    data = {name: encode(split, tokenizer, names) for name, split in read(fixture, "train", "dev").items()}
    return Trainer(
        model_init=TinyModel(fixture, len(tokenizer), args.seed, heard),
        args=args,
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_metrics=SeqevalF1(names),
        **others,
    )
