"""A classifier that reads a token's pooled subtokens, where transformers' own reads each by itself."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import AutoModelForTokenClassification, PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

from hpo.encoding.model_config import PooledConfig, encoder_config
from hpo.errors import Issue, UserError

FIRST = "first"
"""The pooling that is no pooling: transformers' own head, of which the first subtoken's word counts."""
PARTS = {"dropout", "classifier"}


class PooledTagger(PreTrainedModel):
    """Any family's encoder, with a classifier that reads one vector per token.

    The logits of a token stand at its first subtoken; those at its other subtokens mean nothing.
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
            wide = torch.nn.Linear(2 * self.classifier.in_features, config.num_labels)
            torch.nn.init.normal_(wide.weight, std=getattr(tagger.config, "initializer_range", 0.02))
            torch.nn.init.zeros_(wide.bias)
            self.classifier = wide
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Nothing: the parts come with their weights, drawn or read."""

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        words: torch.Tensor,
        labels: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> TokenClassifierOutput:
        """Logits, and a loss where labels are given.

        *Shape:* ``input_ids``, ``attention_mask``, ``words`` and ``labels`` (rows, subtokens), the logits
        (rows, subtokens, labels). ``words`` holds for each subtoken the column of its token's first
        subtoken, -1 where it belongs to no token. ``position_ids`` are for the encoder, where it takes any.
        """
        positions = {} if position_ids is None else {"position_ids": position_ids}
        read = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **positions)
        hidden = read.last_hidden_state
        logits = self.classifier(self.dropout(pool(hidden, words, self.config.pooling)))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(loss=loss, logits=logits)


def pool(hidden: torch.Tensor, words: torch.Tensor, pooling: str) -> torch.Tensor:
    """Put what stands for each token at its first subtoken.

    *Shape:* ``hidden`` (rows, subtokens, width), ``words`` as `PooledTagger.forward` takes it; the result is
    as wide as ``hidden``, for ``first-last`` twice.
    """
    columns = torch.arange(words.shape[1], device=words.device)
    if pooling == "mean":
        # (rows, places of tokens, subtokens); unlike a scattered sum, a product is the same each time.
        belongs = (words[:, None, :] == columns[:, None]).to(hidden.dtype)
        return belongs @ hidden / belongs.sum(-1, keepdim=True).clamp(min=1)
    ends = functional.pad(words[:, 1:], (0, 1), value=-1) != words
    own = torch.where(words < 0, columns, words)
    last = torch.zeros_like(words).scatter_reduce(1, own, torch.where(ends, columns, 0), "amax")
    at_last = hidden.gather(1, last[:, :, None].expand_as(hidden))
    return at_last if pooling == "last" else torch.cat([hidden, at_last], dim=-1)


def pooled(tagger: PreTrainedModel, pooling: str) -> PreTrainedModel:
    """A family's model with a pooling; for ``first`` it is left as it is.

    Raises
    ------
    UserError
        if more than a dropout stands between its encoder and its classifier.
    """
    if pooling == FIRST:
        return tagger
    parts = {name for name, _ in tagger.named_children()} - {tagger.base_model_prefix}
    if parts != PARTS:
        rule = f"the head of a {tagger.config.model_type} model can read a token's first subtoken only"
        raise UserError(Issue("pooling", rule, pooling, "leave this hyperparameter out of the space"))
    inner = tagger.config.to_dict()
    config = PooledConfig(
        tagger=inner, pooling=pooling, id2label=tagger.config.id2label, label2id=tagger.config.label2id
    )
    return PooledTagger(config, tagger)


def uses_pooling(model: torch.nn.Module) -> bool:
    """Whether a model wants to be told which subtokens make up a token."""
    return isinstance(model, PooledTagger)


# Without these our own loader would not know the folders that it has written.
AutoModelForTokenClassification.register(PooledConfig, PooledTagger)
