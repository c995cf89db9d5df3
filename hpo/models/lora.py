"""LoRA: trains low-rank matrices beside frozen weights and merges them when a model is saved.

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
"""The subfolder of a saved model with the LoRA weights in peft's format."""
TARGETS = {
    "query": ("query", "query_proj", "q", "q_lin", "q_proj"),
    "key": ("key", "key_proj", "k", "k_lin", "k_proj"),
    "value": ("value", "value_proj", "v", "v_lin", "v_proj"),
    "dense": ("dense", "o", "wi", "wi_0", "wi_1", "wo", "out_lin", "lin1", "lin2", "out_proj", "fc1", "fc2"),
}
"""LoRA targets and their module names in the families; ``dense`` is every matrix but query, key and value."""
_NAME = "default"


def add_lora(model: PreTrainedModel, training_config: TrainingConfig, base: str) -> None:
    """Freeze a model's encoder and add LoRA matrices to its targets; the head is trained in full.

    ``base`` is the hub id or folder of the base weights. Rank 0 leaves the model unchanged.

    Raises
    ------
    UserError
        If the encoder has no module for a target.
    """
    if not training_config.lora_r:
        return
    from peft import LoraConfig, inject_adapter_in_model  # scoring and prediction do not need peft

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


def _targets(model: PreTrainedModel, targets: str) -> list[str]:
    """Return the last name components of the encoder's matrices that the comma-separated targets select."""
    available = {
        name.rpartition(".")[2]
        for name, part in model.base_model.named_modules()
        if isinstance(part, torch.nn.Linear)
    }
    found, issues = [], []
    for target in (each.strip() for each in targets.split(",")):
        names = sorted(available.intersection(TARGETS.get(target, (target,))))
        found += names
        if not names:
            message = f"a {model.config.model_type} model has no such module"
            issues.append(Issue("lora_targets", message, target, f"known: {', '.join(sorted(available))}"))
    if issues:
        raise UserError(issues)
    return found


def _layers(model: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, part) for name, part in model.named_modules() if hasattr(part, "lora_A"))


def merged_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the weights, LoRA merged, under the names of a model without LoRA; the model is unchanged."""
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
    """Return the trained weights of LoRA and the head under peft's names; empty without LoRA."""
    if not any(True for _ in _layers(model)):
        return {}
    return {
        f"base_model.model.{name.replace(f'.{_NAME}.', '.')}": weight
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def resumable_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that resuming a run requires: all, or with LoRA those that are trained.

    The frozen weights are loaded again from the base model. Randomly initialized ones cannot be: population
    based training copies weights between trials, which initialize them differently.
    """
    weights: dict[str, torch.Tensor] = model.state_dict()
    config = getattr(getattr(model, "base_model", None), "peft_config", None)
    if not config or config[_NAME].base_model_name_or_path == TINY:
        return weights
    return {name: weights[name] for name, weight in model.named_parameters() if weight.requires_grad}


def write_adapter(model: PreTrainedModel, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Write the result of `adapter_weights` and the settings that `PeftModel.from_pretrained` requires."""
    config = model.base_model.peft_config[_NAME]
    settings = {
        name: sorted(value) if isinstance(value, set) else value for name, value in config.to_dict().items()
    }
    settings |= {"task_type": "TOKEN_CLS", "modules_to_save": ["classifier"], "inference_mode": True}
    (folder / ADAPTER).mkdir()
    save_file(weights, folder / ADAPTER / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / ADAPTER / "adapter_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
