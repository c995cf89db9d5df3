"""The training loss: cross entropy in which every label of the corpus counts alike, unless weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hpo.config.training_config import TrainingConfig
from hpo.encoding.window_dataset import IGNORE_INDEX


class CorpusLoss:
    """Summed cross entropy in nats, divided by the average number of labels per batch.

    Every label has the same weight, whichever batch it is in. The gradients of the parts of a batch, or of
    the shares of several processes, sum to the gradient of the whole batch.

    ``counts`` is the number of occurrences of each label in the corpus, *shape:* (labels,); ``batches`` is
    the number of batches per epoch.
    """

    def __init__(
        self, training_config: TrainingConfig, counts: npt.NDArray[np.integer[Any]], batches: int
    ) -> None:
        weighted = training_config.class_weighting != "none"
        self._weights = torch.from_numpy(class_weights(training_config, counts)).float() if weighted else None
        self._label_smoothing = training_config.label_smoothing
        self._labels_seen: torch.Tensor | float = 0.0
        self._labels_per_batch = float(counts.sum()) / batches

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int
    ) -> torch.Tensor:
        """Return the loss of a batch or of a part of one; the Trainer calls it. *Shape:* ()."""
        logits = outputs["logits"].flatten(0, -2).float()
        self._labels_seen = self._labels_seen + (labels != IGNORE_INDEX).sum()
        summed = functional.cross_entropy(
            logits,
            labels.flatten(),
            weight=None if self._weights is None else self._weights.to(logits.device),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
            label_smoothing=self._label_smoothing,
        )
        return summed / self._labels_per_batch

    def pop_batch_count(self) -> torch.Tensor:
        """Return the labels since the last call, in batches of average size; *shape:* ()."""
        batches, self._labels_seen = torch.as_tensor(self._labels_seen) / self._labels_per_batch, 0.0
        return batches


def class_weights(
    training_config: TrainingConfig, counts: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Return the weight of each label, normalized to mean 1 over all labels of the corpus.

    A label that occurs n times has weight 1 / n under ``inverse``, and (1 - b) / (1 - b^n) under
    ``effective`` with b = ``effective_beta``: Cui et al. 2019, Class-Balanced Loss Based on Effective Number
    of Samples, arXiv:1901.05555. A label that never occurs is weighted as if it occurred once.

    *Shape:* (labels,), as ``counts``.
    """
    occurring = np.maximum(counts, 1).astype(np.float64)
    if training_config.class_weighting == "inverse":
        weights = 1 / occurring
    else:
        weights = (1 - training_config.effective_beta) / (1 - training_config.effective_beta**occurring)
    total = float((weights * counts).sum())
    return weights * (counts.sum() / total) if total else weights
