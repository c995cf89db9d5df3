"""A Hugging Face Trainer that resumes from a snapshot; the only module that uses private Trainer members.

The Trainer restores checkpoints from pickles and requires unchanged hyperparameters. A snapshot has no
pickles, and population-based training resumes it with other hyperparameters.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer

from hpo.training.ddp.process_group import ProcessGroup
from hpo.training.lr_schedules import set_step
from hpo.training.measurement import Snapshot
from hpo.training.resume import restore_optimizer, restore_random_state

OVERRIDDEN_METHODS = {
    "_init_training_state": (
        "self",
        "max_steps",
        "num_update_steps_per_epoch",
        "num_train_epochs",
        "resume_from_checkpoint",
        "trial",
    ),
    "_load_optimizer_and_scheduler": ("self", "checkpoint"),
    "_load_rng_state": ("self", "checkpoint"),
}
"""Private Trainer methods that `ResumableTrainer` overrides, with the parameters that it relies on."""
PRIVATE_ATTRIBUTES = ("_tr_loss", "_created_lr_scheduler")
"""Private Trainer attributes that `ResumableTrainer` reads or sets."""


class ResumableTrainer(Trainer):
    """A Trainer that starts from ``snapshot``, or from the beginning if it is None."""

    optimizer: torch.optim.Optimizer

    def __init__(
        self, snapshot: Snapshot | None, seed: int, process_group: ProcessGroup, **trainer_arguments: Any
    ) -> None:
        super().__init__(**trainer_arguments)
        self.snapshot = snapshot
        self._seed = seed
        self._process_group = process_group

    def install_scheduler(self, scheduler: LambdaLR) -> LambdaLR:
        """Use a learning rate schedule in place of the Trainer's own."""
        self.lr_scheduler = scheduler
        self._created_lr_scheduler = True
        return scheduler

    def pop_training_loss(self) -> torch.Tensor:
        """Return the sum of the batch losses since the last call, and reset it; *shape:* ()."""
        summed = self._tr_loss.clone()
        self._tr_loss -= summed
        return summed

    def _init_training_state(
        self,
        max_steps: int,
        num_update_steps_per_epoch: int,
        num_train_epochs: int,
        resume_from_checkpoint: str | None,
        trial: Any,
    ) -> tuple[int, int]:
        super()._init_training_state(max_steps, num_update_steps_per_epoch, num_train_epochs, None, trial)
        if self.snapshot is None:
            return 0, 0
        step = self.snapshot.last.step
        if num_update_steps_per_epoch != self.snapshot.steps_per_epoch:  # another batch size: same epoch
            step = math.ceil(self.snapshot.last.epoch * num_update_steps_per_epoch)
        self.state.global_step = step
        self.state.epoch = step / num_update_steps_per_epoch
        return step // num_update_steps_per_epoch, step % num_update_steps_per_epoch

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        restore_optimizer(Path(checkpoint), self.optimizer)
        set_step(self.lr_scheduler, self.state.global_step)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            restore_random_state(Path(checkpoint))
            self._process_group.seed_per_rank(self._seed, self.snapshot.last.step if self.snapshot else 0)
