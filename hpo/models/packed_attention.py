"""How models of each family are told that several sentences stand on a line, each alone with itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler, RandomBatchSampler
from hpo.encoding.model_config import encoder_config
from hpo.encoding.window_dataset import Batch, alone, told

Tell = Callable[[Batch], Batch]
"""Puts what a model reads in place of what a placed batch says of its rows (`WindowDataset`)."""

FROM_ZERO = ("albert", "bert", "distilbert", "electra")
AFTER_PADDING = ("camembert", "roberta", "xlm-roberta")
"""Families whose positions start after the padding's."""
WITHOUT_POSITIONS = ("t5",)
"""Families that know distances only, which are the same wherever on a line a sentence stands."""

MASK_VALUE = -1e4
"""Added to attention across sentences: nothing is left of it, and every float type holds it."""


def reading(model: PreTrainedModel) -> tuple[type[RandomBatchSampler], Tell]:
    """Which batches a model trains on, and how it is told of them: packed, if a way is known for its family.

    DeBERTa takes no mask of pairs, so the model is changed: it reads numbers of sentences in place of a mask.
    """
    config, dtype = encoder_config(model.config), model.dtype
    if config.model_type in FROM_ZERO:
        return PackedBatchSampler, lambda batch: _masked(batch, dtype, first_position=0)
    if config.model_type in AFTER_PADDING:
        return PackedBatchSampler, lambda batch: _masked(batch, dtype, first_position=config.pad_token_id + 1)
    if config.model_type in WITHOUT_POSITIONS:
        return PackedBatchSampler, lambda batch: _masked(batch, dtype, first_position=None)
    # A convolution, which its largest models have, would read across the ends of sentences.
    if config.model_type == "deberta-v2" and not (config.position_biased_input or _convolves(config)):
        _number_sentences(model)
        return PackedBatchSampler, _numbered
    return LengthGroupedBatchSampler, alone


def _convolves(config: PreTrainedConfig) -> bool:
    return getattr(config, "conv_kernel_size", 0) > 0


def _masked(batch: Batch, dtype: torch.dtype, first_position: int | None) -> Batch:
    mask = torch.where(_together(batch["sentences"]), 0.0, MASK_VALUE).to(dtype)[:, None]
    if first_position is None:
        return told(batch, attention_mask=mask)
    return told(batch, attention_mask=mask, position_ids=batch["columns"] + first_position)


def _numbered(batch: Batch) -> Batch:
    return told(batch, attention_mask=batch["sentences"])


def _together(sentences: torch.Tensor) -> torch.Tensor:
    """Whether two subtokens of a line are of one sentence; *shape:* (lines, subtokens, subtokens)."""
    return sentences[:, :, None] == sentences[:, None, :]


def _number_sentences(model: PreTrainedModel) -> None:
    encoder = model.base_model

    def embed(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, kwargs | {"mask": kwargs["mask"].clamp(max=1)}

    def attend(module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, mask, *others = args
        return hidden, _together(mask) if mask.ndim == 2 else mask, *others

    encoder.embeddings.register_forward_pre_hook(embed, with_kwargs=True)
    encoder.encoder.register_forward_pre_hook(attend)
