"""When a run has learned what it can: how long its dev score has not improved, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from hpo.config.training_config import TrainingConfig

_SLACK = 1e-9
"""Epochs; steps over steps per epoch are not exact."""


@dataclass(frozen=True)
class EarlyStopping:
    """How far a run's patience has gone.

    ``best_f1`` and ``best_loss`` are those of the last improvement, None before any evaluation; ``waited``
    counts the evaluations since; ``cooling_since`` is the epoch at which the cool-down of an adaptive run
    began, None while there is none; ``over`` says that the run has ended.
    """

    best_f1: float | None = None
    best_loss: float | None = None
    waited: int = 0
    cooling_since: float | None = None
    over: bool = False

    def after(self, training_config: TrainingConfig, f1: float, loss: float, epoch: float) -> EarlyStopping:
        """The same after one more dev evaluation, at an epoch that need not be whole.

        A run with another schedule than adaptive is over after ``patience`` evaluations without
        improvement. An adaptive one begins its cool-down then, and is over at its end. Where dev improves
        before that, it goes back to its constant rate, and may cool down again later; without
        ``cooldown_restarts`` nothing ends a cool-down before its time.

        The adaptive schedule is that of nerblackbox (Stollenwerk 2022, Adaptive Fine-Tuning of
        Transformer-Based Language Models for Named Entity Recognition, arXiv:2202.02617), whose patience
        0 is 1 here.
        """
        if not training_config.patience:
            return self
        cooling = self.cooling_since is not None
        if self._improves(training_config, f1, loss) and (training_config.cooldown_restarts or not cooling):
            return EarlyStopping(best_f1=f1, best_loss=loss)
        waiting = replace(self, waited=self.waited + 1)
        if self.cooling_since is not None:
            return replace(
                waiting, over=epoch >= self.cooling_since + training_config.cooldown_epochs - _SLACK
            )
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
        # In its first evaluations a run scores 0 again and again, and learns all the same.
        return f1 - self.best_f1 > training_config.min_delta or (f1 == self.best_f1 and loss < self.best_loss)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON writes them."""
        return asdict(self)
