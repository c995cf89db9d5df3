"""Which weights of a model are trained, and each of them how fast."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from hpo.config.training_config import TrainingConfig
from hpo.encoding.model_config import encoder_config
from hpo.errors import Issue, UserError

EMBEDDINGS = 0
"""The depth of the embeddings; the encoder's n layers stand at 1 to n, and the head at n + 1."""


def freeze(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Take the weights that a training configuration freezes out of the training.

    Raises
    ------
    UserError
        if the model has no list of layers, or fewer than are to be frozen.
    """
    for weight in _frozen(model, training_config):
        weight.requires_grad_(False)


def parameter_groups(
    model: PreTrainedModel, training_config: TrainingConfig, decayed: Collection[str]
) -> list[dict[str, Any]]:
    """The weights that are trained, as an optimizer takes them: by rate, and whether they decay.

    ``decayed`` names the weights that decay, of which only matrices do. The top layer has the training
    configuration's
    learning rate, each layer below that of the one above times ``layerwise_decay``, and the embeddings
    are the lowest; the head has the learning rate times ``head_lr_multiplier``.

    Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146,
    section 3.2, with one factor for all layers as in Zhang et al. 2021, arXiv:2006.05987.

    Raises
    ------
    UserError
        if the rates are to differ and the model's layers, or its head, cannot be told apart.
    """
    scales = _scales(model, training_config)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decays = name in decayed and weight.ndim > 1
            groups.setdefault((not decays, scales.get(name, 1.0)), []).append(weight)
    return [
        {
            "params": weights,
            "lr": training_config.learning_rate * scale,
            "weight_decay": 0.0 if bare else training_config.weight_decay,
        }
        for (bare, scale), weights in sorted(groups.items(), key=lambda entry: entry[0])
    ]


def check_model_supports(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Refuse a training configuration that asks for what a model, or this machine, cannot do; nothing is
    changed.

    Raises
    ------
    UserError
        by the name of the hyperparameter.
    """
    if training_config.precision == "fp16" and not torch.cuda.is_available():
        raise UserError(
            Issue("precision", "requires a GPU, and none is available", "fp16", "use auto, bf16 or off")
        )
    if training_config.gradient_checkpointing and not model.supports_gradient_checkpointing:
        rule = f"a {model.config.model_type} model cannot do that"
        raise UserError(Issue("gradient_checkpointing", rule, True, "leave this hyperparameter out"))
    frozen = {id(weight) for weight in _frozen(model, training_config)}
    _scales(model, training_config)
    adapters = [id(weight) in frozen for name, weight in model.named_parameters() if "lora_" in name]
    if frozen and adapters and len(set(adapters)) == 1:
        rule = (
            "leaves LoRA nothing to train"
            if all(adapters)
            else "freezes only what LoRA does not train anyway"
        )
        raise UserError(
            Issue("frozen_layers", rule, training_config.frozen_layers, "leave one of the two out")
        )


def _frozen(model: PreTrainedModel, training_config: TrainingConfig) -> list[nn.Parameter]:
    if not training_config.frozen_layers:
        return []
    depths, layers = weight_depths(model, "frozen_layers", training_config.frozen_layers)
    if training_config.frozen_layers > layers:
        rule = f"must be at most the number of layers of the model, {layers}"
        raise UserError(Issue("frozen_layers", rule, training_config.frozen_layers))
    highest = max(EMBEDDINGS, training_config.frozen_layers)
    return [weight for name, weight in model.named_parameters() if depths[name] <= highest]


def _scales(model: PreTrainedModel, training_config: TrainingConfig) -> dict[str, float]:
    """What each weight's rate is multiplied by, where they differ."""
    multiplier, decay = training_config.head_lr_multiplier, training_config.layerwise_decay
    if multiplier == decay == 1:
        return {}
    head = _head(model)
    if multiplier != 1 and not head:
        rule = f"a {model.config.model_type} model has no head that can be told from its encoder"
        raise UserError(Issue("head_lr_multiplier", rule, multiplier, "leave this hyperparameter out"))
    if decay == 1:
        return dict.fromkeys(head, multiplier)
    depths, layers = weight_depths(model, "layerwise_decay", decay)
    return {
        name: decay ** (layers - depth) if depth <= layers else multiplier for name, depth in depths.items()
    }


def weight_depths(model: PreTrainedModel, hyperparameter: str, value: object) -> tuple[dict[str, int], int]:
    """How deep each weight stands, and how many layers there are.

    First come the `EMBEDDINGS`, then the layers from the lowest, then the head. What the encoder has
    beside its layers and is no embedding, such as a last norm, stands with the top layer.

    Raises
    ------
    UserError
        in the name of a hyperparameter, if the encoder's layers cannot be told apart.
    """
    layers = _layers(model)
    if layers is None:
        rule = f"a {model.config.model_type} model has no list of layers, each with weights of its own"
        raise UserError(Issue(hyperparameter, rule, value, "leave this hyperparameter out"))
    in_layer = {id(weight): number for number, layer in enumerate(layers, 1) for weight in layer.parameters()}
    embeddings = {
        id(weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) or "embed" in name.lower()
        for weight in module.parameters()
    }
    head, top = _head(model), len(layers)
    depths = {
        name: top + 1
        if name in head
        else in_layer.get(id(weight), EMBEDDINGS if id(weight) in embeddings else top)
        for name, weight in model.named_parameters()
    }
    return depths, top


def _layers(model: PreTrainedModel) -> nn.ModuleList | None:
    count = getattr(encoder_config(model.config), "num_hidden_layers", None)
    for module in model.modules():  # the outermost first
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    return None


def _head(model: PreTrainedModel) -> set[str]:
    """The names of the weights that are not the encoder's."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model  # of a model with adapters
    encoder = {id(weight) for weight in core.base_model.parameters()}
    return {name for name, weight in model.named_parameters() if id(weight) not in encoder}
