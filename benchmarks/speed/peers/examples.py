"""The Hugging Face token-classification example: its tokenization, metric, and a plain Trainer."""

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

BATCH_SIZE = 32


def read(fixture: Fixture, *splits: str) -> dict[str, Dataset]:
    """Load splits from JSON lines, as the example does."""
    files = {split: str(fixture.path(split)) for split in splits}
    return dict(load_dataset("json", data_files=files))


def tokenizer_of(fixture: Fixture) -> PreTrainedTokenizerBase:
    """Return the tokenizer with which our contestant encodes."""
    return AutoTokenizer.from_pretrained(str(fixture.encoded / "tokenizer"))


class Alignment:
    """``tokenize_and_align_labels`` of the example: the first subtoken of a word has its label."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, label_names: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._numbers = {name: number for number, name in enumerate(label_names)}

    def __call__(self, examples: dict[str, Any]) -> Any:
        """Tokenize a batch of sentences and align their labels."""
        encoded = self._tokenizer(examples["tokens"], truncation=True, is_split_into_words=True)
        labels = []
        for index, names in enumerate(examples["ner_tags"]):
            previous, row = None, []
            for word in encoded.word_ids(batch_index=index):
                row.append(-100 if word is None or word == previous else self._numbers[names[word]])
                previous = word
            labels.append(row)
        encoded["labels"] = labels
        return encoded


def encode(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, label_names: tuple[str, ...]) -> Dataset:
    """Tokenize and align a split with ``datasets.map``."""
    align = Alignment(tokenizer, label_names)
    return dataset.map(align, batched=True, remove_columns=dataset.column_names)


class SeqevalF1:
    """``compute_metrics`` of the example: micro F1 by seqeval on label names."""

    def __init__(self, label_names: tuple[str, ...]) -> None:
        self._names = label_names

    def __call__(self, predictions: Any) -> dict[str, float]:
        """Return the F1 of logits and gold labels."""
        logits, labels = predictions
        predicted = [
            [self._names[label] for label, gold in zip(row, gold_row, strict=True) if gold != -100]
            for row, gold_row in zip(np.argmax(logits, axis=2), labels, strict=True)
        ]
        gold = [[self._names[label] for label in row if label != -100] for row in labels]
        return {"f1": float(f1_score(gold, predicted))}


class TinyModel:
    """``model_init``: the model of our contestant, from a seed; calls ``on_trial_start`` in each trial."""

    def __init__(self, fixture: Fixture, vocabulary: int, seed: int, on_trial_start: Any = None) -> None:
        self._names, self._vocabulary, self._seed = fixture.label_names, vocabulary, seed
        self._on_trial_start = on_trial_start

    def __call__(self, trial: Any = None) -> BertForTokenClassification:
        """Return a new model."""
        if trial is not None and self._on_trial_start is not None:
            self._on_trial_start()
        return build_model(TINY, self._names, self._vocabulary, TrainingConfig.model_validate({}), self._seed)


def arguments(output: Path, epochs: int, seed: int, **others: Any) -> TrainingArguments:
    """Return the arguments of all Trainers here; everything else is at the library's default."""
    return TrainingArguments(
        output_dir=str(output),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH_SIZE,
        per_device_eval_batch_size=BATCH_SIZE,
        seed=seed,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **others,
    )


def build_trainer(
    fixture: Fixture, args: TrainingArguments, on_trial_start: Any = None, **others: Any
) -> Trainer:
    """Return a plain Trainer on the train and dev splits of a fixture, with the default batching."""
    tokenizer, names = tokenizer_of(fixture), fixture.label_names
    data = {name: encode(split, tokenizer, names) for name, split in read(fixture, "train", "dev").items()}
    return Trainer(
        model_init=TinyModel(fixture, len(tokenizer), args.seed, on_trial_start),
        args=args,
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_metrics=SeqevalF1(names),
        **others,
    )
