"""Parameter groups of the optimizer: frozen layers, learning rate and weight decay of each weight."""

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
"""Depth of the embeddings; the n encoder layers have depths 1 to n, the head has n + 1."""


def freeze_layers(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Disable gradients of the weights in the frozen layers of a training configuration.

    Raises
    ------
    UserError
        If the model has no list of layers, or fewer than ``frozen_layers``.
    """
    for weight in _frozen(model, training_config):
        weight.requires_grad_(False)


def parameter_groups(
    model: PreTrainedModel, training_config: TrainingConfig, decayed: Collection[str]
) -> list[dict[str, Any]]:
    """Return the trained weights as optimizer parameter groups, one per learning rate and weight decay.

    Weight decay applies to the matrices among the weights named in ``decayed``. The top layer has the
    configured learning rate. Each lower layer, down to the embeddings, has the rate of the layer above
    times ``layerwise_decay``. The head has the learning rate times ``head_lr_multiplier``.

    Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146,
    section 3.2, with one factor for all layers as in Zhang et al. 2021, arXiv:2006.05987.

    Raises
    ------
    UserError
        If the rates differ between layers and the layers or the head of the model cannot be identified.
    """
    scales = _lr_scales(model, training_config)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decays = name in decayed and weight.ndim > 1
            groups.setdefault((not decays, scales.get(name, 1.0)), []).append(weight)
    return [
        {
            "params": weights,
            "lr": training_config.learning_rate * scale,
            "weight_decay": 0.0 if undecayed else training_config.weight_decay,
        }
        for (undecayed, scale), weights in sorted(groups.items(), key=lambda entry: entry[0])
    ]


def check_model_supports(model: PreTrainedModel, training_config: TrainingConfig) -> None:
    """Raise if a model, or this machine, does not support a training configuration; change nothing.

    Raises
    ------
    UserError
        If a hyperparameter is not supported; the location of the issue is its name.
    """
    if training_config.precision == "fp16" and not torch.cuda.is_available():
        raise UserError(
            Issue("precision", "requires a GPU, and none is available", "fp16", "use auto, bf16 or off")
        )
    if training_config.gradient_checkpointing and not model.supports_gradient_checkpointing:
        message = f"a {model.config.model_type} model does not support it"
        raise UserError(Issue("gradient_checkpointing", message, True, "remove this hyperparameter"))
    frozen = {id(weight) for weight in _frozen(model, training_config)}
    _lr_scales(model, training_config)
    adapters = [id(weight) in frozen for name, weight in model.named_parameters() if "lora_" in name]
    if frozen and adapters and len(set(adapters)) == 1:
        message = (
            "freezes every LoRA adapter"
            if all(adapters)
            else "freezes only weights that LoRA does not train anyway"
        )
        raise UserError(
            Issue("frozen_layers", message, training_config.frozen_layers, "remove frozen_layers or LoRA")
        )


def _frozen(model: PreTrainedModel, training_config: TrainingConfig) -> list[nn.Parameter]:
    if not training_config.frozen_layers:
        return []
    depths, layers = weight_depths(model, "frozen_layers", training_config.frozen_layers)
    if training_config.frozen_layers > layers:
        message = f"must be at most the number of layers of the model, {layers}"
        raise UserError(Issue("frozen_layers", message, training_config.frozen_layers))
    highest = max(EMBEDDINGS, training_config.frozen_layers)
    return [weight for name, weight in model.named_parameters() if depths[name] <= highest]


def _lr_scales(model: PreTrainedModel, training_config: TrainingConfig) -> dict[str, float]:
    """Return the learning rate factor of each weight by name; a missing name has factor 1."""
    multiplier, decay = training_config.head_lr_multiplier, training_config.layerwise_decay
    if multiplier == decay == 1:
        return {}
    head = _head(model)
    if multiplier != 1 and not head:
        message = f"a {model.config.model_type} model has no head separate from its encoder"
        raise UserError(Issue("head_lr_multiplier", message, multiplier, "remove this hyperparameter"))
    if decay == 1:
        return dict.fromkeys(head, multiplier)
    depths, layers = weight_depths(model, "layerwise_decay", decay)
    return {
        name: decay ** (layers - depth) if depth <= layers else multiplier for name, depth in depths.items()
    }


def weight_depths(model: PreTrainedModel, hyperparameter: str, value: object) -> tuple[dict[str, int], int]:
    """Return the depth of each weight by name, and the number of layers.

    The embeddings have depth `EMBEDDINGS`, the n layers 1 to n, the head n + 1. Encoder weights outside
    layers and embeddings, such as a final norm, have the depth of the top layer.

    Raises
    ------
    UserError
        If the layers of the encoder cannot be identified; the location of the issue is ``hyperparameter``.
    """
    layers = _layers(model)
    if layers is None:
        message = f"a {model.config.model_type} model has no list of layers with separate weights"
        raise UserError(Issue(hyperparameter, message, value, "remove this hyperparameter"))
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
    for module in model.modules():  # outermost first
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    return None


def _head(model: PreTrainedModel) -> set[str]:
    """Return the names of the weights outside the encoder."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model  # unwrap LoRA
    encoder = {id(weight) for weight in core.base_model.parameters()}
    return {name for name, weight in model.named_parameters() if id(weight) not in encoder}
