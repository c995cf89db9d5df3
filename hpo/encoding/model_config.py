"""The configuration of models with a pooling head, and of the encoder inside them."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig


class PooledConfig(PretrainedConfig):
    """The configuration of a model whose head pools the subtokens of each token.

    ``tagger`` is the configuration of the family's own token-classification model. The model type is private
    to this project so that transformers' pipeline, which would classify first subtokens only, rejects the
    model.
    """

    model_type = "hpo-pooled"

    def __init__(self, tagger: dict[str, Any] | None = None, pooling: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tagger = tagger or {}
        self.pooling = pooling


def encoder_config(config: PretrainedConfig) -> PretrainedConfig:
    """Return the configuration of the family's own model, whether or not a pooling head wraps it."""
    return AutoConfig.for_model(**config.tagger) if isinstance(config, PooledConfig) else config


# AutoConfig loads saved pooling models only if their type is registered.
AutoConfig.register(PooledConfig.model_type, PooledConfig)
