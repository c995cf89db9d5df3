"""The recipe: everything that fixes a training run besides the data and the model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

TINY = "tiny"
"""The name of the model that is trained from scratch."""

Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """Every knob of a training run, with its default and its limits.

    Each field can be fixed by a search space, searched over, or left at its default. The defaults
    of the optimizer are those of the Hugging Face ``Trainer``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    learning_rate: float = Field(5e-5, gt=0, le=1, description="peak learning rate of AdamW")
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="decoupled weight decay, on matrices only (not on biases and norms)"
    )
    warmup_ratio: Share = Field(
        0.0, description="share of all steps in which the rate rises from 0 to its peak"
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="what the learning rate does after the warm-up"
    )
    epochs: int = Field(5, ge=1, le=1000, description="passes over the training data")
    batch_size: int = Field(32, ge=1, le=4096, description="sentences per optimizer step")
    max_length: int = Field(
        512, ge=8, le=8192, description="subtokens per window; longer sentences become several windows"
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
    precision: Literal["auto", "bf16", "fp16", "off"] = Field(
        "auto", description="mixed precision; auto is bf16 on GPUs that have it, off elsewhere"
    )
    evals_per_epoch: int = Field(4, ge=1, le=1000, description="dev evaluations per epoch, evenly spaced")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any) -> Any:
        """Of a bool pydantic would make 0 or 1."""
        if isinstance(value, bool):
            raise PydanticCustomError("truth_value", "Input should not be true or false")
        return value


def knobs() -> dict[str, dict[str, Any]]:
    """Name, default, description and limits of every knob, in the recipe's order."""
    schema = Recipe.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in field.items() if key != "title"} for name, field in schema.items()
    }
