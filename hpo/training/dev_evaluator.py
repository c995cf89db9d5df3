"""Evaluates a model on the dev split, on every case variant of an objective at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

import numpy as np
import torch

from hpo.config.objective import Objective
from hpo.corpora.label_sets import BIO
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import arrange
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.encoded_split import EncodedSplit
from hpo.training.evaluator import SplitEvaluator


@dataclass(frozen=True)
class DevEvaluator:
    """Evaluates the distinct encodings of all variants of an objective, each in one forward pass.

    ``multiplicities`` holds, for each variant, how often each distinct encoding occurs in it.
    """

    evaluator: SplitEvaluator
    multiplicities: tuple[IntArray, ...]
    types: tuple[str, ...]
    objective: Objective

    def evaluate(self, model: torch.nn.Module, autocast: torch.dtype | None) -> dict[str, float]:
        """Return the objective as ``f1``, and precision, recall, loss and accuracy.

        If the objective is a minimum, the last four are those of the variant with the lowest F1, otherwise
        means over the variants.
        """
        predictions = self.evaluator.evaluate(model, autocast)
        scored = [
            (*predictions.score(self.types, multiplicity), predictions.accuracy(multiplicity))
            for multiplicity in self.multiplicities
        ]
        f1 = self.objective.of([scores.f1 for scores, *_ in scored])
        if self.objective.reduction == "min":
            scored = [min(scored, key=lambda each: each[0].f1)]
        return {
            "f1": f1,
            "precision": fmean(scores.precision for scores, *_ in scored),
            "recall": fmean(scores.recall for scores, *_ in scored),
            "loss": fmean(loss for _, loss, _ in scored),
            "accuracy": fmean(accuracy for *_, accuracy in scored),
        }


@lru_cache(maxsize=2)  # shared by the trials of a worker, so that the batches are built once per study
def build_dev_evaluator(data: EncodedCorpus, objective: Objective, label_set: str = BIO) -> DevEvaluator:
    """Return the evaluator of an objective for models that predict the labels of ``label_set``."""
    split = data.split("dev")
    per_variant = [encodings_of_variant(split, variant) for variant in objective.variants]
    distinct = np.unique(np.concatenate(per_variant))
    multiplicities = tuple(
        np.bincount(np.searchsorted(distinct, encodings), minlength=len(distinct))
        for encodings in per_variant
    )
    evaluator = SplitEvaluator(split, distinct, data.pad_id, len(data.types), label_set)
    return DevEvaluator(evaluator, multiplicities, data.types, objective)


def encodings_of_variant(split: EncodedSplit, variant: str) -> IntArray:
    """Return the encodings that make up a case variant of a split; *shape:* (sentences of the variant,)."""
    layout = arrange(variant, split.drawn)
    return split.variant_encodings(layout.forms, layout.sentences)
