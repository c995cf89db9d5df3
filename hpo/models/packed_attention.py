"""Model inputs for packed batches: several windows per row, each of which attends only to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler, RandomBatchSampler
from hpo.encoding.model_config import encoder_config
from hpo.encoding.window_dataset import Batch, padded_inputs, replace_packing

AttentionInputs = Callable[[Batch], Batch]
"""Replaces the packing tensors of a `WindowDataset` batch by the inputs that a model family takes."""

POSITIONS_FROM_ZERO = ("albert", "bert", "distilbert", "electra")
POSITIONS_AFTER_PADDING = ("camembert", "roberta", "xlm-roberta")
"""Families whose positions start after the padding index."""
RELATIVE_POSITIONS = ("t5",)
"""Families with relative positions only, which do not depend on a window's place in its row."""

MASK_VALUE = -1e4
"""Added to attention scores between windows. Its softmax is 0 in every float type. ``torch.finfo(dtype).min``
would overflow to -inf in float16 (-65504) when a score or a relative position bias is added to it."""


def packing_support(model: PreTrainedModel) -> tuple[type[RandomBatchSampler], AttentionInputs]:
    """Return the batch sampler for a model and the function that makes its inputs from a batch.

    Packed batches are used for families whose attention can be restricted to one window. A model of these
    must be passed to `enable_packing` before it reads a packed batch.
    """
    config, dtype = encoder_config(model.config), model.dtype
    if config.model_type in POSITIONS_FROM_ZERO:
        return PackedBatchSampler, lambda batch: _pairwise_inputs(batch, dtype, first_position=0)
    if config.model_type in POSITIONS_AFTER_PADDING:
        first = config.pad_token_id + 1
        return PackedBatchSampler, lambda batch: _pairwise_inputs(batch, dtype, first_position=first)
    if config.model_type in RELATIVE_POSITIONS:
        return PackedBatchSampler, lambda batch: _pairwise_inputs(batch, dtype, first_position=None)
    if _takes_segment_ids(config):
        return PackedBatchSampler, lambda batch: replace_packing(batch, attention_mask=batch["segment_ids"])
    return LengthGroupedBatchSampler, padded_inputs


def enable_packing(model: PreTrainedModel) -> None:
    """Make a model able to read the packed batches of `packing_support`.

    Only DeBERTa changes: it accepts no pairwise mask, so forward hooks derive one from segment ids that are
    passed as the attention mask. Ordinary masks keep working.
    """
    if not _takes_segment_ids(encoder_config(model.config)):
        return
    encoder = model.base_model

    def embed(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, kwargs | {"mask": kwargs["mask"].clamp(max=1)}

    def attend(module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, mask, *others = args
        return hidden, _same_segment(mask) if mask.ndim == 2 else mask, *others

    encoder.embeddings.register_forward_pre_hook(embed, with_kwargs=True)
    encoder.encoder.register_forward_pre_hook(attend)


def _takes_segment_ids(config: PreTrainedConfig) -> bool:
    if config.model_type != "deberta-v2" or config.position_biased_input:
        return False
    return getattr(config, "conv_kernel_size", 0) <= 0  # a convolution would mix neighbouring windows


def _pairwise_inputs(batch: Batch, dtype: torch.dtype, first_position: int | None) -> Batch:
    mask = torch.where(_same_segment(batch["segment_ids"]), 0.0, MASK_VALUE).to(dtype)[:, None]
    if first_position is None:
        return replace_packing(batch, attention_mask=mask)
    return replace_packing(batch, attention_mask=mask, position_ids=batch["positions"] + first_position)


def _same_segment(segment_ids: torch.Tensor) -> torch.Tensor:
    """Return whether two subtokens belong to one window.

    *Shape:* (rows, columns) to (rows, columns, columns).

    >>> _same_segment(torch.tensor([[1, 1, 2]])).int().tolist()
    [[[1, 1, 0], [1, 1, 0], [0, 0, 1]]]
    """
    return segment_ids[:, :, None] == segment_ids[:, None, :]
