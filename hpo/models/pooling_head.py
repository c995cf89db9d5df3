"""A classification head that pools the subtokens of each token; transformers' own head reads the first."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import AutoModelForTokenClassification, PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

from hpo.encoding.model_config import PooledConfig, encoder_config
from hpo.errors import Issue, UserError

FIRST = "first"
"""The default pooling: transformers' own head, applied to a token's first subtoken."""
POOLABLE_HEAD = {"dropout", "classifier"}


class PooledTagger(PreTrainedModel):
    """Any family's encoder with a classifier that reads one vector per token.

    The logits of a token are at its first subtoken; those at its other subtokens have no meaning.
    """

    config_class = PooledConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: PooledConfig, tagger: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        if tagger is None:
            tagger = AutoModelForTokenClassification.from_config(encoder_config(config))
        self.encoder = tagger.base_model
        self.dropout = tagger.dropout
        self.classifier = tagger.classifier
        if config.pooling == "first-last":
            classifier = torch.nn.Linear(2 * self.classifier.in_features, config.num_labels)
            torch.nn.init.normal_(classifier.weight, std=getattr(tagger.config, "initializer_range", 0.02))
            torch.nn.init.zeros_(classifier.bias)
            self.classifier = classifier
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Do nothing: the parts come with initialized or loaded weights."""

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_starts: torch.Tensor,
        labels: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> TokenClassifierOutput:
        """Return logits, and a loss if labels are given.

        *Shape:* ``input_ids``, ``attention_mask``, ``token_starts`` and ``labels`` (rows, columns); logits
        (rows, columns, labels). ``token_starts`` holds for each subtoken the column of its token's first
        subtoken, -1 where it belongs to no token. ``position_ids`` are passed to the encoder.
        """
        positions = {} if position_ids is None else {"position_ids": position_ids}
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **positions)
        pooled = pool(output.last_hidden_state, token_starts, self.config.pooling)
        logits = self.classifier(self.dropout(pooled))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(loss=loss, logits=logits)


def pool(hidden: torch.Tensor, token_starts: torch.Tensor, pooling: str) -> torch.Tensor:
    """Pool the hidden states of each token at the place of its first subtoken.

    *Shape:* ``hidden`` (rows, columns, width), ``token_starts`` as in `PooledTagger.forward`. The result has
    the width of ``hidden``, or twice that for ``first-last``.

    A token of the subtokens in columns 1 and 2, whose hidden states are 2 and 4:

    >>> hidden = torch.tensor([[[1.0], [2.0], [4.0]]])
    >>> pool(hidden, torch.tensor([[-1, 1, 1]]), "mean")[0, 1].tolist()
    [3.0]
    >>> pool(hidden, torch.tensor([[-1, 1, 1]]), "first-last")[0, 1].tolist()
    [2.0, 4.0]
    """
    columns = torch.arange(token_starts.shape[1], device=token_starts.device)
    if pooling == "mean":
        # (rows, tokens' columns, subtokens); unlike a scattered sum, a product is deterministic.
        belongs = (token_starts[:, None, :] == columns[:, None]).to(hidden.dtype)
        return belongs @ hidden / belongs.sum(-1, keepdim=True).clamp(min=1)
    ends = functional.pad(token_starts[:, 1:], (0, 1), value=-1) != token_starts
    targets = torch.where(token_starts < 0, columns, token_starts)
    last_columns = torch.where(ends, columns, 0)
    last = torch.zeros_like(token_starts).scatter_reduce(1, targets, last_columns, "amax")
    at_last = hidden.gather(1, last[:, :, None].expand_as(hidden))
    return at_last if pooling == "last" else torch.cat([hidden, at_last], dim=-1)


def add_pooling_head(tagger: PreTrainedModel, pooling: str) -> PreTrainedModel:
    """Replace the head of a family's model by one with a pooling; ``first`` returns the model unchanged.

    Raises
    ------
    UserError
        If the family's head has more parts than a dropout and a classifier.
    """
    if pooling == FIRST:
        return tagger
    parts = {name for name, _ in tagger.named_children()} - {tagger.base_model_prefix}
    if parts != POOLABLE_HEAD:
        message = f"the head of a {tagger.config.model_type} model supports only the first subtoken"
        raise UserError(
            Issue("pooling", message, pooling, "remove this hyperparameter from the search space")
        )
    config = PooledConfig(
        tagger=tagger.config.to_dict(),
        pooling=pooling,
        id2label=tagger.config.id2label,
        label2id=tagger.config.label2id,
    )
    return PooledTagger(config, tagger)


def uses_pooling(model: torch.nn.Module) -> bool:
    """Return whether a model requires ``token_starts``."""
    return isinstance(model, PooledTagger)


# AutoModelForTokenClassification loads saved pooling models only if they are registered.
AutoModelForTokenClassification.register(PooledConfig, PooledTagger)
