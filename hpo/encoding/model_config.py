"""The configuration of models with a pooling head, and of the encoder inside them."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig


class PooledConfig(PretrainedConfig):
    """The configuration of a model with another pooling than the first subtoken's.

    Its model type is one of our own, so that transformers' pipeline, which would read such a model by its
    first subtokens, refuses it. ``tagger`` is the configuration of the family's own model.
    """

    model_type = "hpo-pooled"

    def __init__(self, tagger: dict[str, Any] | None = None, pooling: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tagger = tagger or {}
        self.pooling = pooling


def encoder_config(config: PretrainedConfig) -> PretrainedConfig:
    """The configuration of the family's own model, where another head stands on it."""
    return AutoConfig.for_model(**config.tagger) if isinstance(config, PooledConfig) else config


# Without this AutoConfig cannot load the folders of such models.
AutoConfig.register(PooledConfig.model_type, PooledConfig)
