"""Learning rate schedules: the multiplier of the peak rate at every optimizer step.

A multiplier depends only on the training configuration, the step and the start of a cool-down, so that a
run can resume at any step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch.optim.lr_scheduler import LambdaLR

from hpo.config.training_config import TrainingConfig


@dataclass(frozen=True)
class TrainingSteps:
    """Numbers of optimizer steps: per epoch, in total, and of the warm-up."""

    per_epoch: int
    total: int
    warmup: int

    @classmethod
    def of(cls, training_config: TrainingConfig, per_epoch: int) -> TrainingSteps:
        """Return the steps of a training configuration on a corpus with ``per_epoch`` batches."""
        total = training_config.epochs * per_epoch
        warmup = (
            training_config.warmup_steps
            or round(training_config.warmup_epochs * per_epoch)
            or math.ceil(training_config.warmup_ratio * total)
        )
        return cls(per_epoch, total, warmup)

    def progress(self, step: int) -> float:
        """Return the fraction of the steps after the warm-up that precede ``step``, in [0, 1]."""
        return min(1.0, max(0, step - self.warmup) / max(1, self.total - self.warmup))


def lr_multiplier(
    training_config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None = None
) -> float:
    """Return the factor of the peak learning rate at ``step``, counted from 0; in [0, 1].

    ``cooling_since`` is the epoch at which the cool-down of an adaptive schedule began, None outside one.
    """
    warmup = min(1.0, step / steps.warmup) if steps.warmup else 1.0
    return warmup * _SCHEDULES[training_config.lr_schedule](training_config, steps, step, cooling_since)


_Schedule = Callable[[TrainingConfig, TrainingSteps, int, float | None], float]


def _linear(config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None) -> float:
    return 1 - steps.progress(step)


def _cosine(config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None) -> float:
    return 0.5 * (1 + math.cos(math.pi * steps.progress(step)))


def _cosine_with_restarts(
    config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    """Loshchilov & Hutter 2017, SGDR, arXiv:1608.03983, with cycles of equal length."""
    progress = steps.progress(step)
    return 0.0 if progress >= 1 else 0.5 * (1 + math.cos(math.pi * (config.lr_cycles * progress % 1)))


def _constant(config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None) -> float:
    return 1.0


def _exponential(
    config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None
) -> float:
    return config.lr_gamma ** (step // steps.per_epoch)


def _hybrid(config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None) -> float:
    return min(1.0, max(0.0, (steps.total - step) / (config.cooldown_epochs * steps.per_epoch)))


def _adaptive(config: TrainingConfig, steps: TrainingSteps, step: int, cooling_since: float | None) -> float:
    if cooling_since is None:
        return 1.0
    cooled = step - round(cooling_since * steps.per_epoch)
    return min(1.0, max(0.0, 1 - cooled / (config.cooldown_epochs * steps.per_epoch)))


_SCHEDULES: dict[str, _Schedule] = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "constant": _constant,
    "exponential": _exponential,
    "hybrid": _hybrid,
    "adaptive": _adaptive,
}


def set_step(scheduler: LambdaLR, step: int) -> None:
    """Set a scheduler, and the learning rates of its optimizer, to ``step``."""
    scheduler.last_epoch = step
    rates = [base * fn(step) for base, fn in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)]
    scheduler._last_lr = rates
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
