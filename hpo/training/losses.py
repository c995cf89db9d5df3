"""The loss where it is not the model's own: smoothed labels, weighted classes, batches in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hpo.training.batching import IGNORED
from hpo.training.recipe import Recipe

Loss = Callable[..., torch.Tensor]
"""Of a model's outputs, the labels, and how many of these there are in the whole batch."""


def build_loss(
    recipe: Recipe, label_counts: Callable[[], npt.NDArray[np.integer[Any]]], *, in_parts: bool = False
) -> Loss | None:
    """The loss that a recipe asks for; None where the model's own will do.

    It is the summed cross entropy over the number of labels in the optimizer step, in nats, so that a
    batch in parts gives the gradient of the whole. (Models of transformers take the mean of each part
    and are taken at their word that they do not.) ``label_counts`` says how often each label is trained
    on; it is called only for class weights. ``in_parts`` says that several processes share each batch.
    """
    weighted = recipe.class_weighting != "none"
    if not (weighted or recipe.label_smoothing or recipe.accumulation_steps > 1 or in_parts):
        return None
    weights = torch.from_numpy(class_weights(recipe, label_counts())).float() if weighted else None

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int) -> torch.Tensor:
        logits = outputs["logits"].flatten(0, -2).float()
        summed = functional.cross_entropy(
            logits,
            labels.flatten(),
            weight=None if weights is None else weights.to(logits.device),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=recipe.label_smoothing,
        )
        return summed / num_items_in_batch

    return loss


def class_weights(recipe: Recipe, counts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """The weight of each label, 1 on average over all that is trained on.

    A label that occurs n times weighs 1 / n under ``inverse``, and under ``effective``
    (1 - b) / (1 - b^n) with b = ``effective_beta``: Cui et al. 2019, Class-Balanced Loss Based on
    Effective Number of Samples, arXiv:1901.05555. One that never occurs weighs as if it did once.

    *Shape:* (labels,), as ``counts``.
    """
    occurring = np.maximum(counts, 1).astype(np.float64)
    if recipe.class_weighting == "inverse":
        weights = 1 / occurring
    else:
        weights = (1 - recipe.effective_beta) / (1 - recipe.effective_beta**occurring)
    total = float((weights * counts).sum())
    return weights * (counts.sum() / total) if total else weights
