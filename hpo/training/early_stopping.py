"""Early stopping: ends a run, or starts the cool-down of its learning rate, when dev no longer improves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from hpo.config.training_config import TrainingConfig

_TOLERANCE = 1e-9
"""In epochs: a step divided by the steps per epoch is not exact."""


@dataclass(frozen=True)
class EarlyStopping:
    """The state of early stopping after some evaluations.

    ``best_f1`` and ``best_loss`` are those of the last improvement, None before the first evaluation.
    ``waited`` counts the evaluations since then. ``cooling_since`` is the epoch at which the cool-down of an
    adaptive schedule began, None outside a cool-down. ``over`` is True once the run has ended.
    """

    best_f1: float | None = None
    best_loss: float | None = None
    waited: int = 0
    cooling_since: float | None = None
    over: bool = False

    def update(self, training_config: TrainingConfig, f1: float, loss: float, epoch: float) -> EarlyStopping:
        """Return the state after one more dev evaluation, at a possibly fractional epoch.

        Without the adaptive schedule, a run ends after ``patience`` evaluations without improvement. With
        it, the cool-down begins then, and the run ends with the cool-down. An improvement during the
        cool-down returns to the constant rate, unless ``cooldown_restarts`` is False.

        The adaptive schedule is that of nerblackbox (Stollenwerk 2022, Adaptive Fine-Tuning of
        Transformer-Based Language Models for Named Entity Recognition, arXiv:2202.02617); its patience 0
        is 1 here.
        """
        if not training_config.patience:
            return self
        cooling = self.cooling_since is not None
        if self._improves(training_config, f1, loss) and (training_config.cooldown_restarts or not cooling):
            return EarlyStopping(best_f1=f1, best_loss=loss)
        waiting = replace(self, waited=self.waited + 1)
        if self.cooling_since is not None:
            end = self.cooling_since + training_config.cooldown_epochs
            return replace(waiting, over=epoch >= end - _TOLERANCE)
        if waiting.waited < training_config.patience:
            return waiting
        if training_config.lr_schedule == "adaptive":
            return replace(waiting, cooling_since=epoch)
        return replace(waiting, over=True)

    def _improves(self, training_config: TrainingConfig, f1: float, loss: float) -> bool:
        if self.best_f1 is None or self.best_loss is None:
            return True
        if training_config.early_stopping_metric == "loss":
            return self.best_loss - loss > training_config.min_delta
        # In the first evaluations F1 is often 0 while the loss already falls.
        return f1 - self.best_f1 > training_config.min_delta or (f1 == self.best_f1 and loss < self.best_loss)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)
