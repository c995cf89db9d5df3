"""The training configuration: everything that fixes a training run besides the data and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hpo.config.renamed_keys import HYPERPARAMETERS
from hpo.config.training_rules import broken_rules
from hpo.storage.yaml_files import FieldIssue, ValidationIssues

TINY = "tiny"
"""The name of the model that is trained from scratch, without pre-trained weights."""

Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "constant", "exponential", "hybrid", "adaptive"
]


class TrainingConfig(BaseModel):
    """Every hyperparameter of a training run, with its default and its limits.

    Each field can be fixed by a search space, searched over, or left at its default. The defaults
    of the optimizer are those of the Hugging Face ``Trainer``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    renamed_keys: ClassVar[Mapping[str, str]] = HYPERPARAMETERS

    learning_rate: float = Field(5e-5, gt=0, le=1, description="peak learning rate of AdamW")
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="decoupled weight decay of matrices (not of biases and norms)"
    )
    head_lr_multiplier: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="factor from the learning rate of the encoder to that of the classifier",
    )
    layerwise_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="factor on the learning rate from each layer to the one below; 1: equal rates",
    )
    frozen_layers: int = Field(
        0,
        ge=-1,
        le=1000,
        description="lowest layers that are frozen, with the embeddings; -1: only the embeddings; 0: none",
    )
    warmup_ratio: Share = Field(
        0.0, description="warm-up: fraction of all steps in which the learning rate rises from 0 to its peak"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, le=1000, description="warm-up in epochs; at most one of the three may be set"
    )
    warmup_steps: int = Field(0, ge=0, le=10_000_000, description="warm-up in steps")
    lr_schedule: Schedule = Field(
        "linear",
        description="learning rate after the warm-up; exponential: times lr_gamma after every epoch; "
        "hybrid: constant, then a linear cool-down to 0; adaptive: cool-down when patience runs out",
    )
    lr_gamma: float = Field(
        0.9, gt=0, le=1, description="exponential: factor on the learning rate after every epoch"
    )
    lr_cycles: int = Field(
        4, ge=1, le=1000, description="cosine_with_restarts: number of cycles from the peak to 0"
    )
    cooldown_epochs: float = Field(
        7.0, gt=0, le=1000, description="hybrid, adaptive: length of the cool-down in epochs"
    )
    cooldown_restarts: bool = Field(
        True, strict=True, description="adaptive: return to the peak if dev improves during the cool-down"
    )
    patience: int = Field(
        0,
        ge=0,
        le=100_000,
        description="dev evaluations without improvement before a run stops or cools down; 0: off",
    )
    early_stopping_metric: Literal["f1", "loss"] = Field(
        "f1", description="dev metric that must improve; f1: an equal F1 improves if the loss is lower"
    )
    min_delta: float = Field(
        0.0,
        ge=0,
        le=100,
        description="smallest change of the metric that counts as an improvement (exclusive)",
    )
    epochs: int = Field(5, ge=1, le=1000, description="passes over the training data")
    batch_size: int = Field(32, ge=1, le=4096, description="sentences per optimizer step")
    accumulation_steps: int = Field(
        1, ge=1, le=4096, description="number of parts in which a batch is processed, to save memory"
    )
    max_length: int = Field(
        512,
        ge=8,
        le=8192,
        description="subtokens per window, by default at most the limit of the model; splits long sentences",
    )
    context: int = Field(
        0,
        ge=0,
        le=4096,
        description="subtokens of surrounding sentences of the document added on each side, never scored",
    )
    label_alignment: Literal["first", "all"] = Field(
        "first", description="subtokens of a token that carry its label in training; scores use the first"
    )
    label_scheme: Literal["bio", "plain", "bilou", "auto"] = Field(
        "bio",
        description="label scheme that the model learns; scores use IOB2 spans; auto: that of the corpus",
    )
    pooling: Literal["first", "last", "mean", "first-last"] = Field(
        "first",
        description="subtokens that the classifier reads for each token; first-last concatenates both",
    )
    attention_dropout: Share = Field(0.1, lt=1, description="dropout of the attention weights")
    hidden_dropout: Share = Field(
        0.1, lt=1, description="dropout of the hidden states and of every layer without its own dropout"
    )
    classifier_dropout: Dropout | None = Field(
        None,
        description="dropout before the classifier; unset: the default of the model",
    )
    lora_r: int = Field(
        0,
        ge=0,
        le=1024,
        description="rank of the LoRA matrices, which are trained with the classifier only; 0: no LoRA",
    )
    lora_alpha: float = Field(
        16, gt=0, le=10_000, description="LoRA updates are scaled by lora_alpha / lora_r"
    )
    lora_dropout: Share = Field(0.0, lt=1, description="dropout of the input of the LoRA matrices")
    lora_targets: str = Field(
        "query, value",
        pattern=r"^[\w.]+( *, *[\w.]+)*$",
        description="modules with LoRA: query, key, value, dense, or names of modules of the model",
    )
    max_grad_norm: float = Field(1.0, ge=0, description="gradients are clipped to this norm; 0: off")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="beta1 of AdamW: decay of the mean gradient")
    adam_beta2: float = Field(
        0.999, ge=0, lt=1, description="beta2 of AdamW: decay of the mean squared gradient"
    )
    adam_epsilon: float = Field(1e-8, gt=0, le=1, description="epsilon of AdamW, which avoids division by 0")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="fraction of the target probability that is spread over all labels"
    )
    class_weighting: Literal["none", "inverse", "effective"] = Field(
        "none",
        description="weights of labels in the loss: inverse to their frequency or effective number",
    )
    effective_beta: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="effective: 0 weighs all labels equally, values near 1 approach inverse",
    )
    gradient_checkpointing: bool = Field(
        False, strict=True, description="recompute activations in the backward pass, to save memory"
    )
    precision: Literal["auto", "bf16", "fp16", "off"] = Field(
        "auto", description="mixed precision; auto: bf16 on GPUs that support it, else off"
    )
    evals_per_epoch: int = Field(4, ge=1, le=1000, description="dev evaluations per epoch, evenly spaced")

    @field_validator("*", mode="before")
    @classmethod
    def _no_conversion_to_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject booleans and text for numbers, which pydantic converts."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and annotation is not bool:
            raise PydanticCustomError("truth_value", "must not be true or false")
        if isinstance(value, str) and annotation in (int, float):
            kind = "whole number" if annotation is int else "number"
            raise PydanticCustomError("text", "must be a {kind}", {"kind": kind})
        return value

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        possible = {name: (value,) for name, value in self}
        if issues := [FieldIssue((), message) for _, message in broken_rules(possible)]:
            raise ValidationIssues(issues)
        return self


def hyperparameters() -> dict[str, dict[str, Any]]:
    """Return name, default, description and limits of every hyperparameter."""
    schema = TrainingConfig.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in field.items() if key != "title"} for name, field in schema.items()
    }
