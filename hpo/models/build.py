"""Builds token-classification models: ``tiny`` from scratch, or any pretrained encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    BertConfig,
    BertForTokenClassification,
    PretrainedConfig,
    PreTrainedModel,
    set_seed,
)

from hpo.config.training_config import TINY, TrainingConfig
from hpo.encoding.model_config import PooledConfig
from hpo.encoding.tokenizers import TINY_MAX_LENGTH, TINY_VOCABULARY, first_line
from hpo.errors import Issue, UserError
from hpo.models.lora import add_lora
from hpo.models.pooling_head import add_pooling_head

DROPOUTS = {
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"),
    "hidden_dropout": ("hidden_dropout_prob", "hidden_dropout", "dropout", "resid_pdrop", "dropout_rate"),
}
"""Each dropout hyperparameter and its names in the configurations of model families.

T5 has a single dropout rate, also for attention weights: the hidden dropout.
"""

CONTEXT_KEY = "document_context"
"""The entry of a model's configuration for the number of context subtokens that it was trained with."""

BYTES_PER_PARAMETER = 4
REMOVE_HINT = "remove this hyperparameter from the search space"


def build_model(
    model: str, label_names: Sequence[str], vocabulary: int, training_config: TrainingConfig, seed: int
) -> PreTrainedModel:
    """Build a model for training; weights that are not pretrained are initialized from ``seed``.

    The head is initialized as well if the model was trained with another number of labels.

    Raises
    ------
    UserError
        If the model cannot be loaded, if its weights do not match its configuration, or if it does not
        support a dropout, the pooling or a LoRA target of the training configuration.
    """
    config = _configure(model, label_names, vocabulary)
    set_dropouts(config, training_config)
    if training_config.context or hasattr(config, CONTEXT_KEY):
        setattr(config, CONTEXT_KEY, training_config.context)  # to score the checkpoint as it was trained
    set_seed(seed)
    built = BertForTokenClassification(config) if model == TINY else _load(model, config)
    set_classifier_dropout(built, training_config)
    built = add_pooling_head(built, training_config.pooling)
    add_lora(built, training_config, model)
    return built


def _load(model: str, config: PretrainedConfig) -> PreTrainedModel:
    try:
        built, loading = AutoModelForTokenClassification.from_pretrained(
            model,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers, safetensors and torch share no base class
        hint = f"give a model with safetensors weights; {first_line(error)}"
        raise UserError(Issue("model", "cannot be loaded", model, hint)) from None
    _reject_mismatched_weights(model, built, loading["mismatched_keys"])
    return built


def _reject_mismatched_weights(
    model: str, built: PreTrainedModel, mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]]
) -> None:
    """Raise an error for weights outside the head whose shapes do not match the configuration."""
    issues = []
    for name, found, expected in sorted(mismatched):
        if name.startswith(f"{built.base_model_prefix}."):
            shapes = f"{name} has shape {tuple(found)}, config.json requires {tuple(expected)}"
            issues.append(Issue("model", "its weights do not match its configuration", model, shapes))
    if issues:
        raise UserError(issues)


def set_dropouts(config: PretrainedConfig, training_config: TrainingConfig) -> None:
    """Set the dropouts of a training configuration in a model configuration, under its family's names.

    Raises
    ------
    UserError
        If a dropout is set explicitly and the family does not have it; the default is ignored.
    """
    for hyperparameter, names in DROPOUTS.items():
        value = getattr(training_config, hyperparameter)
        found = next((name for name in names if hasattr(config, name)), None)
        if found is not None:
            setattr(config, found, value)
        elif hyperparameter in training_config.model_fields_set:
            raise UserError(
                Issue(
                    hyperparameter,
                    f"a {config.model_type} model has no such dropout",
                    value,
                    REMOVE_HINT,
                )
            )


def set_classifier_dropout(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Set the dropout before a model's classifier, if the training configuration has a value for it.

    The module is changed, because some families have no configuration entry, and the entry if there is one.

    Raises
    ------
    UserError
        If a value is set and the model has no such dropout.
    """
    value = training_config.classifier_dropout
    if value is None:
        return
    module = getattr(model, "dropout", None) or getattr(model, "drop", None)
    if not isinstance(module, torch.nn.Dropout):
        message = f"a {model.config.model_type} model has no such dropout"
        raise UserError(Issue("classifier_dropout", message, value, REMOVE_HINT))
    module.p = value
    if hasattr(model.config, "classifier_dropout"):
        model.config.classifier_dropout = value


def _configure(model: str, label_names: Sequence[str], vocabulary: int) -> PretrainedConfig:
    labels = {
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: number for number, name in enumerate(label_names)},
    }
    if model == TINY:
        return BertConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=512,
            max_position_embeddings=TINY_MAX_LENGTH,
            # BERT's 0.02 suits width 768: nine epochs on the demo corpus give an F1 of .78, this value .86.
            initializer_range=0.06,
            **labels,
        )
    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False, **labels)
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    if isinstance(config, PooledConfig):
        hint = f"its head has pooling {config.pooling}; give the model that it was trained from"
        raise UserError(Issue("model", "cannot be trained further", model, hint))
    return config


def state_bytes(model: str) -> int:
    """Return the disk space of a running trial: weights, two AdamW moments, and the best model; in bytes.

    Raises
    ------
    UserError
        If the model is invalid, as in `count_parameters`.
    """
    return 4 * BYTES_PER_PARAMETER * count_parameters(model)


def count_parameters(model: str) -> int:
    """Count a model's parameters from its configuration, without reading weights.

    Raises
    ------
    UserError
        If the configuration cannot be loaded, or does not describe a token-classification model.
    """
    config = _configure(model, ("O", "B-a", "I-a"), TINY_VOCABULARY)
    try:
        with torch.device("meta"):
            built = AutoModelForTokenClassification.from_config(config)
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    return sum(part.numel() for part in built.parameters())
