"""The loss that is trained on: every label of the corpus counts alike, unless they are weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hpo.config.training_config import TrainingConfig
from hpo.encoding.window_dataset import IGNORE_INDEX


class CorpusLoss:
    """The loss of a training configuration over a corpus with so many of each label (``counts``), read in
    so many batches.

    It is the summed cross entropy over the number of labels that a batch has on average, in nats, so that
    every label counts alike, whatever batch it is in. A batch in parts, or shared by several processes, gives
    the gradient of the whole.
    """

    def __init__(
        self, training_config: TrainingConfig, counts: npt.NDArray[np.integer[Any]], batches: int
    ) -> None:
        weighted = training_config.class_weighting != "none"
        self._weights = torch.from_numpy(class_weights(training_config, counts)).float() if weighted else None
        self._label_smoothing = training_config.label_smoothing
        self._taken: torch.Tensor | float = 0.0
        self._labels_per_batch = float(counts.sum()) / batches

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int
    ) -> torch.Tensor:
        """The loss of a batch or a part of one, as the Trainer asks for it; *shape:* ()."""
        logits = outputs["logits"].flatten(0, -2).float()
        self._taken = self._taken + (labels != IGNORE_INDEX).sum()
        summed = functional.cross_entropy(
            logits,
            labels.flatten(),
            weight=None if self._weights is None else self._weights.to(logits.device),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
            label_smoothing=self._label_smoothing,
        )
        return summed / self._labels_per_batch

    def batches_taken(self) -> torch.Tensor:
        """How many batches of average size the labels since the last call come to; *shape:* ()."""
        taken, self._taken = torch.as_tensor(self._taken) / self._labels_per_batch, 0.0
        return taken


def class_weights(
    training_config: TrainingConfig, counts: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """The weight of each label, 1 on average over all that is trained on.

    A label that occurs n times weighs 1 / n under ``inverse``, and under ``effective``
    (1 - b) / (1 - b^n) with b = ``effective_beta``: Cui et al. 2019, Class-Balanced Loss Based on
    Effective Number of Samples, arXiv:1901.05555. One that never occurs weighs as if it did once.

    *Shape:* (labels,), as ``counts``.
    """
    occurring = np.maximum(counts, 1).astype(np.float64)
    if training_config.class_weighting == "inverse":
        weights = 1 / occurring
    else:
        weights = (1 - training_config.effective_beta) / (1 - training_config.effective_beta**occurring)
    total = float((weights * counts).sum())
    return weights * (counts.sum() / total) if total else weights
