"""The training configuration: everything that fixes a training run besides the data and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hpo.config.renamed_keys import HYPERPARAMETERS
from hpo.config.training_rules import joint_issues
from hpo.storage.yaml_files import FieldIssue, ValidationIssues

TINY = "tiny"
"""The name of the model that is trained from scratch."""

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
        0.0, ge=0, le=1, description="decoupled weight decay, on matrices only (not on biases and norms)"
    )
    head_lr_multiplier: float = Field(
        1.0, gt=0, le=1000, description="the classifier's learning rate is this many times the encoder's"
    )
    layerwise_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="each layer's rate is this share of that of the layer above; 1: all alike",
    )
    frozen_layers: int = Field(
        0,
        ge=-1,
        le=1000,
        description="lowest layers that are not trained, the embeddings with them; -1: these alone; 0: none",
    )
    warmup_ratio: Share = Field(
        0.0, description="share of all steps in which the rate rises from 0 to its peak"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, le=1000, description="the same in epochs; at most one of the three is not 0"
    )
    warmup_steps: int = Field(0, ge=0, le=10_000_000, description="the same in steps")
    lr_schedule: Schedule = Field(
        "linear",
        description="the rate after the warm-up: falls to 0, stays, falls by lr_gamma an epoch, "
        "stays and then cools down to 0 (hybrid), or does so when patience runs out (adaptive)",
    )
    lr_gamma: float = Field(0.9, gt=0, le=1, description="exponential: factor on the rate after every epoch")
    lr_cycles: int = Field(4, ge=1, le=1000, description="cosine_with_restarts: falls from the peak to 0")
    cooldown_epochs: float = Field(
        7.0, gt=0, le=1000, description="hybrid, adaptive: epochs of the linear cool-down at the end"
    )
    cooldown_restarts: bool = Field(
        True, strict=True, description="adaptive: back to the peak where dev improves in the cool-down"
    )
    patience: int = Field(
        0,
        ge=0,
        le=100_000,
        description="dev evaluations without improvement after which a run stops or cools down; 0: off",
    )
    early_stopping_metric: Literal["f1", "loss"] = Field(
        "f1", description="what must improve on dev; an F1 that ties does where the loss is lower"
    )
    min_delta: float = Field(0.0, ge=0, le=100, description="an improvement is larger than this")
    epochs: int = Field(5, ge=1, le=1000, description="passes over the training data")
    batch_size: int = Field(32, ge=1, le=4096, description="sentences per optimizer step")
    accumulation_steps: int = Field(
        1, ge=1, le=4096, description="parts in which a batch goes through the model, to save memory"
    )
    max_length: int = Field(
        512,
        ge=8,
        le=8192,
        description="subtokens per window, unset at most what the model reads; longer sentences get several",
    )
    context: int = Field(
        0,
        ge=0,
        le=4096,
        description="subtokens of neighbouring sentences of the document that are read on either side",
    )
    label_alignment: Literal["first", "all"] = Field(
        "first", description="subtokens of a token that carry its label in training (scores read the first)"
    )
    label_scheme: Literal["bio", "plain", "bilou", "auto"] = Field(
        "bio", description="labels that the model learns, scored as IOB2 spans; auto: those of the corpus"
    )
    pooling: Literal["first", "last", "mean", "first-last"] = Field(
        "first", description="what of a token's subtokens the classifier reads; first-last reads both at once"
    )
    attention_dropout: Share = Field(0.1, lt=1, description="dropout of the attention weights")
    hidden_dropout: Share = Field(
        0.1, lt=1, description="dropout of the hidden states, and of all that has none of its own"
    )
    classifier_dropout: Dropout | None = Field(
        None, description="dropout before the classifier; unset, the model's own (mostly hidden_dropout)"
    )
    lora_r: int = Field(
        0,
        ge=0,
        le=1024,
        description="rank of LoRA's matrices, beside which only the head is trained; 0: none",
    )
    lora_alpha: float = Field(
        16, gt=0, le=10_000, description="LoRA's updates are scaled by lora_alpha / lora_r"
    )
    lora_dropout: Share = Field(0.0, lt=1, description="dropout of what LoRA's matrices read")
    lora_targets: str = Field(
        "query, value",
        pattern=r"^[\w.]+( *, *[\w.]+)*$",
        description="what LoRA is added to: query, key, value, dense, or names of a model's own modules",
    )
    max_grad_norm: float = Field(1.0, ge=0, description="gradients are clipped to this norm; 0 turns it off")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's memory of the gradient")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="AdamW's memory of the squared gradient")
    adam_epsilon: float = Field(1e-8, gt=0, le=1, description="AdamW's guard against division by 0")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of a label's probability that is spread over all labels"
    )
    class_weighting: Literal["none", "inverse", "effective"] = Field(
        "none", description="labels weigh by one over their frequency, or their effective number"
    )
    effective_beta: float = Field(
        0.999, ge=0, lt=1, description="effective: 0 weighs all labels alike, near 1 as inverse does"
    )
    gradient_checkpointing: bool = Field(
        False, strict=True, description="compute activations twice instead of keeping them, to save memory"
    )
    precision: Literal["auto", "bf16", "fp16", "off"] = Field(
        "auto", description="mixed precision; auto is bf16 on GPUs that have it, off elsewhere"
    )
    evals_per_epoch: int = Field(4, ge=1, le=1000, description="dev evaluations per epoch, evenly spaced")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject booleans for numbers, which pydantic converts to 0 or 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise PydanticCustomError("truth_value", "must not be true or false")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        possible = {name: (value,) for name, value in self}
        if issues := [FieldIssue((), message) for _, message in joint_issues(possible)]:
            raise ValidationIssues(issues)
        return self


def hyperparameters() -> dict[str, dict[str, Any]]:
    """Return name, default, description and limits of every hyperparameter."""
    schema = TrainingConfig.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in field.items() if key != "title"} for name, field in schema.items()
    }
