"""The learning rate at every step: a warm-up, and what comes after it.

All of it follows from the training configuration, the step and when a cool-down began, so that a run can
be taken up
at any step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch.optim.lr_scheduler import LambdaLR

from hpo.config.training_config import TrainingConfig


@dataclass(frozen=True)
class TrainingSteps:
    """A run in optimizer steps: an epoch's, all of them, and those of the warm-up."""

    steps_per_epoch: int
    steps: int
    warmup: int

    @classmethod
    def of(cls, training_config: TrainingConfig, steps_per_epoch: int) -> TrainingSteps:
        """The timeline of a training configuration on a corpus that makes so many steps an epoch."""
        steps = training_config.epochs * steps_per_epoch
        warmup = (
            training_config.warmup_steps
            or round(training_config.warmup_epochs * steps_per_epoch)
            or math.ceil(training_config.warmup_ratio * steps)
        )
        return cls(steps_per_epoch, steps, warmup)

    def done(self, step: int) -> float:
        """The share of the steps after the warm-up that lie before one, in [0, 1]."""
        return min(1.0, max(0, step - self.warmup) / max(1, self.steps - self.warmup))


def lr_multiplier(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None = None
) -> float:
    """What the peak rate is multiplied by at a step, counted from 0; in [0, 1].

    ``cooling_since`` is the epoch at which the cool-down of an adaptive run has begun, if it has.
    """
    risen = min(1.0, step / timeline.warmup) if timeline.warmup else 1.0
    return risen * _SHAPES[training_config.lr_schedule](training_config, timeline, step, cooling_since)


def _linear(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    return 1 - timeline.done(step)


def _cosine(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    return 0.5 * (1 + math.cos(math.pi * timeline.done(step)))


def _cosine_with_restarts(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    """Loshchilov & Hutter 2017, SGDR, arXiv:1608.03983, with cycles of equal length."""
    done = timeline.done(step)
    return 0.0 if done >= 1 else 0.5 * (1 + math.cos(math.pi * (training_config.lr_cycles * done % 1)))


def _constant(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    return 1.0


def _exponential(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    return training_config.lr_gamma ** (step // timeline.steps_per_epoch)


def _hybrid(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    cooldown = training_config.cooldown_epochs * timeline.steps_per_epoch
    return min(1.0, max(0.0, (timeline.steps - step) / cooldown))


def _adaptive(
    training_config: TrainingConfig, timeline: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    if cooling_since is None:
        return 1.0
    began = round(cooling_since * timeline.steps_per_epoch)
    return min(
        1.0, max(0.0, 1 - (step - began) / (training_config.cooldown_epochs * timeline.steps_per_epoch))
    )


_SHAPES: dict[str, Callable[[TrainingConfig, TrainingSteps, int, float | None], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "constant": _constant,
    "exponential": _exponential,
    "hybrid": _hybrid,
    "adaptive": _adaptive,
}


def set_step(schedule: LambdaLR, step: int) -> None:
    """Put a schedule, and the rates of its optimizer, where they stand at a step."""
    schedule.last_epoch = step
    rates = [base * factor(step) for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)]
    schedule._last_lr = rates
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
