"""LoRA: small matrices beside frozen ones, merged into them when a model is written.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from hpo.config.training_config import TINY, TrainingConfig
from hpo.errors import Issue, UserError

ADAPTER = "adapter"
"""The folder, in a model's, of what LoRA has learned, as peft reads it."""
TARGETS = {
    "query": ("query", "query_proj", "q", "q_lin", "q_proj"),
    "key": ("key", "key_proj", "k", "k_lin", "k_proj"),
    "value": ("value", "value_proj", "v", "v_lin", "v_proj"),
    "dense": ("dense", "o", "wi", "wi_0", "wi_1", "wo", "out_lin", "lin1", "lin2", "out_proj", "fc1", "fc2"),
}
"""What a matrix does, and its names in the families; ``dense`` is all that is no query, key or value."""
_NAME = "default"


def add_lora(model: PreTrainedModel, training_config: TrainingConfig, base: str) -> None:
    """Freeze a model's encoder and put LoRA's matrices beside its targets; the head is trained in full.

    ``base`` is the name of what the weights were read from. With rank 0 nothing is done.

    Raises
    ------
    UserError
        if the encoder has no module of a target's name.
    """
    if not training_config.lora_r:
        return
    from peft import LoraConfig, inject_adapter_in_model  # scoring and prediction do without it

    config = LoraConfig(
        r=training_config.lora_r,
        lora_alpha=training_config.lora_alpha,
        lora_dropout=training_config.lora_dropout,
        target_modules=_targets(model, training_config.lora_targets),
        base_model_name_or_path=base,
    )
    inject_adapter_in_model(config, model.base_model)
    for name, weight in model.named_parameters():
        weight.requires_grad = "lora_" in name or not name.startswith(f"{model.base_model_prefix}.")


def _targets(model: PreTrainedModel, asked: str) -> list[str]:
    """The names, as they end, of the encoder's matrices that are asked for."""
    held = {
        name.rpartition(".")[2]
        for name, part in model.base_model.named_modules()
        if isinstance(part, torch.nn.Linear)
    }
    found, issues = [], []
    for target in (each.strip() for each in asked.split(",")):
        names = sorted(held.intersection(TARGETS.get(target, (target,))))
        found += names
        if not names:
            rule = f"a {model.config.model_type} model has no such module"
            issues.append(Issue("lora_targets", rule, target, f"it has: {', '.join(sorted(held))}"))
    if issues:
        raise UserError(issues)
    return found


def _layers(model: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, part) for name, part in model.named_modules() if hasattr(part, "lora_A"))


def merged_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights under the names and with the values of a model without LoRA; its own are left alone."""
    weights = model.state_dict()
    for name, layer in _layers(model):
        for part in [key for key in weights if key.startswith(f"{name}.lora_")]:
            del weights[part]
        for part in ("weight", "bias"):
            base = weights.pop(f"{name}.base_layer.{part}", None)
            if base is not None:
                weights[f"{name}.{part}"] = base
        weights[f"{name}.weight"] = weights[f"{name}.weight"] + layer.get_delta_weight(_NAME)
    return weights


def adapter_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """What LoRA and the head have learned, under the names that peft gives it; empty without LoRA."""
    if not any(True for _ in _layers(model)):
        return {}
    return {
        f"base_model.model.{name.replace(f'.{_NAME}.', '.')}": weight
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def resumable_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights without which a run could not go on: all, or with LoRA those alone that are trained.

    The others are read again from what the model began with, unless that was drawn and not read: a
    population hands weights from one trial to another, whose draws differ.
    """
    weights: dict[str, torch.Tensor] = model.state_dict()
    config = getattr(getattr(model, "base_model", None), "peft_config", None)
    if not config or config[_NAME].base_model_name_or_path == TINY:
        return weights
    return {name: weights[name] for name, weight in model.named_parameters() if weight.requires_grad}


def write_adapter(model: PreTrainedModel, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Write what `adapter_weights` gave, and the settings with which `PeftModel.from_pretrained` reads it."""
    config = model.base_model.peft_config[_NAME]
    settings = {
        name: sorted(value) if isinstance(value, set) else value for name, value in config.to_dict().items()
    }
    settings |= {"task_type": "TOKEN_CLS", "modules_to_save": ["classifier"], "inference_mode": True}
    (folder / ADAPTER).mkdir()
    save_file(weights, folder / ADAPTER / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / ADAPTER / "adapter_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
