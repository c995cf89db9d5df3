"""Every hyperparameter is tested on every model family: its value reaches the run."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.encoding.encoded_corpus import write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.window_dataset import IGNORE_INDEX
from hpo.training.losses import class_weights

LABELS = label_names(("person", "place"))
TESTED = {
    "test_run_of_every_family_applies_the_training_configuration": (
        "learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
        "batch_size", "accumulation_steps", "precision", "label_smoothing", "class_weighting",
        "effective_beta", "epochs", "evals_per_epoch",
    ),
    "test_learning_rates_of_every_family_differ_by_layer_and_head": ("layerwise_decay", "head_lr_multiplier"),
    "test_frozen_layers_of_every_family_are_not_trained": ("frozen_layers",),
    "test_gradient_checkpointing_and_accumulation_do_not_change_training": (
        "gradient_checkpointing",
    ),
    "test_learning_rate_of_every_family_follows_the_schedule": (
        "lr_schedule", "lr_gamma", "lr_cycles", "cooldown_epochs", "warmup_ratio", "warmup_epochs",
        "warmup_steps",
    ),
    "test_patience_of_every_family_ends_the_run": ("patience", "early_stopping_metric", "min_delta"),
    "test_adaptive_schedule_of_every_family_cools_down_and_restarts": ("cooldown_restarts",),
    "test_label_scheme_of_every_family_determines_the_outputs": ("label_scheme",),
    "test_dropouts_of_every_family_are_set_in_the_modules": (
        "attention_dropout", "hidden_dropout", "classifier_dropout",
    ),
    "test_pooling_of_every_family_is_set_in_the_head": ("pooling",),
    "test_lora_hyperparameters_of_every_family_are_set_in_the_modules": (
        "lora_r", "lora_alpha", "lora_dropout", "lora_targets"
    ),
    "test_label_alignment_of_every_family_begins_at_the_first_subtoken": ("label_alignment",),
    "test_max_length_and_context_of_every_family_limit_the_windows": ("max_length", "context"),
}  # fmt: skip
"""The tests in this folder that check a hyperparameter on every family."""


def test_every_hyperparameter_is_tested_on_every_family():
    assert sorted(
        hyperparameter for hyperparameters in TESTED.values() for hyperparameter in hyperparameters
    ) == sorted(TrainingConfig.model_fields)
    found = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = {each.arg for each in node.args.args}
    for name in TESTED:
        assert found[name] & {"family", "folder", "family_tokenizer"}, name


def test_run_of_every_family_applies_the_training_configuration(folder, encoded, run_and_record):
    training_config = TrainingConfig(
        learning_rate=3e-3, weight_decay=0.07, adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6,
        max_grad_norm=0.25, batch_size=24, accumulation_steps=2, precision="bf16", label_smoothing=0.1,
        class_weighting="effective", effective_beta=0.99, epochs=2, evals_per_epoch=2, lr_schedule="constant",
    )  # fmt: skip
    measured, seen = run_and_record(folder, encoded, training_config)
    rows = len(seen["trainer"].train_dataset)
    steps = math.ceil(rows / 24)
    assert [each.epoch for each in measured] == [0.5, 1.0, 1.5, 2.0]
    assert len(seen["rates"]) == len(seen["batches"]) == 2 * steps
    assert sorted(seen["batches"])[-steps:] == [24] * steps or max(seen["batches"]) == 24
    assert sum(seen["batches"]) == 2 * rows
    assert seen["parts"] == [part for lines in seen["rows"] for part in (-(-lines // 2), lines // 2) if part]
    assert max(seen["rows"]) > 1
    assert {rate for rates in seen["rates"] for rate in rates} == {3e-3}
    groups = seen["trainer"].optimizer.param_groups
    assert [(g["weight_decay"], g["betas"], g["eps"]) for g in groups] == [
        (decay, (0.8, 0.95), 1e-6) for decay in (0.07, 0.0)
    ]
    assert seen["clipped"] == {0.25}
    assert seen["types"] == {torch.bfloat16}
    counts = seen["trainer"].train_dataset.label_counts(len(LABELS))
    weights = class_weights(training_config, counts)
    assert len(set(weights)) > 1
    for logits, labels, loss, _ in seen["losses"]:
        expected = functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), torch.from_numpy(weights).float(),
            ignore_index=IGNORE_INDEX, label_smoothing=0.1, reduction="sum",
        ) / (counts.sum() / steps)  # fmt: skip
        assert loss == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("scheme, outputs", [("plain", 3), ("bilou", 9)])
def test_label_scheme_of_every_family_determines_the_outputs(
    folder, encoded, run_and_record, scheme, outputs
):
    training_config = TrainingConfig(
        epochs=1, batch_size=30, evals_per_epoch=1, label_scheme=scheme, pooling="mean"
    )
    measured, seen = run_and_record(folder, encoded, training_config)
    assert seen["trainer"].model.classifier.out_features == outputs and len(measured) == 1
    assert max(int(labels.max()) for _, labels, *_ in seen["losses"]) == outputs - 1


def test_max_length_and_context_of_every_family_limit_the_windows(family_tokenizer, sentences, tmp_path):
    longest, carried = {}, {}
    for name, (length, context) in {"short": (12, 0), "long": (96, 0), "read around": (96, 12)}.items():
        folder = tmp_path / name
        folder.mkdir()
        options = EncodingOptions(max_length=length, seed=1, context=context)
        split = write_corpus(folder, {"train": sentences[:40]}, LABELS, family_tokenizer, options).split(
            "train"
        )
        sizes = np.diff(split.window_offsets)
        assert sizes.max() <= length
        longest[name], carried[name] = int(sizes.max()), int((split.tokens < 0).sum())
    assert longest["short"] <= 12 < longest["long"]
    assert carried["read around"] > carried["long"]
