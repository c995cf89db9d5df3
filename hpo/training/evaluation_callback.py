"""Schedules the dev evaluations of a run at equal fractions of an epoch."""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class EvaluationCallback(TrainerCallback):
    """Requests an evaluation at the first step from each multiple of ``1 / evals_per_epoch`` epochs on."""

    def __init__(self, evals_per_epoch: int) -> None:
        self._evals_per_epoch = evals_per_epoch

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Request an evaluation if this step reaches the next multiple."""
        steps = steps_per_epoch(state)
        done = (state.global_step - 1) % steps + 1
        control.should_evaluate = (
            done * self._evals_per_epoch // steps > (done - 1) * self._evals_per_epoch // steps
        )

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Request nothing: the last step of the epoch has already requested the evaluation."""
        control.should_evaluate = False


def steps_per_epoch(state: TrainerState) -> int:
    """Return the number of optimizer steps of an epoch."""
    return int(state.max_steps // state.num_train_epochs)


def completed_epochs(state: TrainerState, evals_per_epoch: int) -> float:
    """Return the completed epochs, rounded down to a multiple of ``1 / evals_per_epoch``.

    Rounding makes evaluations of different batch sizes comparable at the same epochs, such as a rung.
    """
    return math.floor(state.global_step * evals_per_epoch / steps_per_epoch(state)) / evals_per_epoch
