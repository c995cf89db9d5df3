"""Token-classification models: ``tiny`` from scratch, or any pretrained encoder, with a training
configuration's dropouts."""

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
"""Each dropout hyperparameter and the names under which model families keep it in their configuration.

T5 has one for all, its attention weights included, which is its hidden dropout.
"""

CONTEXT_KEY = "document_context"
"""Where a model's configuration says how many subtokens of context it was trained with."""

BYTES_PER_PARAMETER = 4


def build_model(
    model: str, label_names: Sequence[str], vocabulary: int, training_config: TrainingConfig, seed: int
) -> PreTrainedModel:
    """A model ready to be trained; the weights that are not pretrained are drawn from ``seed``.

    So is the head of a model that was trained on another number of labels.

    Raises
    ------
    UserError
        if the model cannot be loaded, if its weights do not fit its configuration, or if it has no place
        for a dropout, a pooling or a LoRA target of the training configuration.
    """
    config = _configure(model, label_names, vocabulary)
    set_dropouts(config, training_config)
    if training_config.context or hasattr(config, CONTEXT_KEY):
        setattr(config, CONTEXT_KEY, training_config.context)  # a checkpoint is scored as it was trained
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
    except Exception as error:  # of transformers, safetensors or torch, which share no base class
        reason = f"it must hold safetensors weights; {first_line(error)}"
        raise UserError(Issue("model", "cannot be loaded", model, reason)) from None
    _refuse_misfits(model, built, loading["mismatched_keys"])
    return built


def _refuse_misfits(
    model: str, built: PreTrainedModel, misfits: Iterable[tuple[str, Sequence[int], Sequence[int]]]
) -> None:
    """Refuse weights of other sizes than the configuration's anywhere but in the head."""
    issues = []
    for name, held, wanted in sorted(misfits):
        if name.startswith(f"{built.base_model_prefix}."):
            sizes = f"{name} is {tuple(held)}, and {tuple(wanted)} by config.json"
            issues.append(Issue("model", "its weights do not fit its configuration", model, sizes))
    if issues:
        raise UserError(issues)


def set_dropouts(config: PretrainedConfig, training_config: TrainingConfig) -> None:
    """Write a training configuration's dropouts into a configuration, under the names that its family uses.

    A family that has no such dropout takes it at the training configuration's default, which asks for
    nothing.

    Raises
    ------
    UserError
        if a dropout was set and the family has no place for it.
    """
    for hyperparameter, names in DROPOUTS.items():
        value = getattr(training_config, hyperparameter)
        place = next((name for name in names if hasattr(config, name)), None)
        if place is not None:
            setattr(config, place, value)
        elif hyperparameter in training_config.model_fields_set:
            raise UserError(
                Issue(
                    hyperparameter,
                    f"a {config.model_type} model has no such dropout",
                    value,
                    "leave this hyperparameter out of the space",
                )
            )


def set_classifier_dropout(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Give the dropout before a model's classifier a training configuration's value, where it has one.

    It is set in the module, since some families have no name for it, and in the configuration where one has.

    Raises
    ------
    UserError
        if it is set and the model has no such dropout.
    """
    value = training_config.classifier_dropout
    if value is None:
        return
    module = getattr(model, "dropout", None) or getattr(model, "drop", None)
    if not isinstance(module, torch.nn.Dropout):
        rule = f"a {model.config.model_type} model has no such dropout"
        raise UserError(
            Issue("classifier_dropout", rule, value, "leave this hyperparameter out of the space")
        )
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
            # BERT's 0.02 is made for width 768: in nine epochs of the demo it comes to .78, and this to .86.
            initializer_range=0.06,
            **labels,
        )
    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False, **labels)
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    if isinstance(config, PooledConfig):
        hint = f"its head has pooling {config.pooling}; name the model that it was trained from"
        raise UserError(Issue("model", "cannot be trained further", model, hint))
    return config


def state_bytes(model: str) -> int:
    """What a running trial leaves behind: weights, the two moments of AdamW, and its best model.

    Raises
    ------
    UserError
        as `count_parameters`.
    """
    return 4 * BYTES_PER_PARAMETER * count_parameters(model)


def count_parameters(model: str) -> int:
    """How many numbers a model holds, by its configuration alone; no weights are read.

    Raises
    ------
    UserError
        if the configuration cannot be loaded, or is none of a token-classification model.
    """
    config = _configure(model, ("O", "B-a", "I-a"), TINY_VOCABULARY)
    try:
        with torch.device("meta"):
            built = AutoModelForTokenClassification.from_config(config)
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    return sum(part.numel() for part in built.parameters())
