"""One training run: a Hugging Face Trainer that measures itself on dev and reports each measurement."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from hpo.config.objective import Objective
from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import BIO
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import arrange
from hpo.encoding.encoded_corpus import EncodedCorpus, EncodedSplit
from hpo.encoding.window_dataset import WindowDataset, micro_batches
from hpo.models.build import build_model
from hpo.models.checkpoints import CheckpointWriter
from hpo.models.packed_attention import reading
from hpo.models.pooling_head import FIRST
from hpo.training.ddp.process_group import ProcessGroup
from hpo.training.early_stopping import EarlyStopping
from hpo.training.evaluator import SplitEvaluator
from hpo.training.losses import CorpusLoss
from hpo.training.lr_schedules import TrainingSteps, lr_multiplier, set_step
from hpo.training.measurement import Measurement, Snapshot, read_snapshot
from hpo.training.optimizer import freeze, parameter_groups
from hpo.training.resume import restore_optimizer, restore_random_state, write_snapshot
from hpo.training.training_arguments import arguments, autocast_dtype

Report = Callable[[Measurement], bool]
"""Told of each measurement; says whether to go on."""
Keep = Callable[[Measurement], Path | None]
"""Told of each new best of the run; says where to write the model, if anywhere."""


class NonFiniteLoss(RuntimeError):
    """The training or dev loss became infinite or not a number."""


def train(
    training_config: TrainingConfig,
    data: EncodedCorpus,
    *,
    model: str,
    train_on: str,
    seed: int,
    report: Report,
    objective: Objective | None = None,
    keep: Keep = lambda measurement: None,
    state: Path | None = None,
) -> None:
    """Train one model on a case variant of the train split and measure it on dev.

    ``objective`` is what it is measured by, by default the F1 on the variant that it is trained on.

    Runs to the training configuration's last epoch, or until its patience has run out or ``report`` says
    no. ``seed`` draws
    the fresh weights, the dropout and the batches. With ``state``, a folder, the run is written there
    before each report, and goes on from what stands there: with the same training configuration exactly as
    if it had
    never stopped; with another one from the same share of an epoch, its hyperparameters in place of the
    old.

    Raises
    ------
    NonFiniteLoss
        at the first evaluation after the loss has diverged.
    """
    label_set, labels = data.model_labels(training_config.label_scheme)
    network = build_model(model, labels, data.vocabulary, training_config, seed)
    rows = _train_rows(
        data, train_on, training_config.label_alignment, training_config.pooling != FIRST, label_set
    )
    freeze(network, training_config)
    asked = objective or Objective("mean", (train_on,))
    with CheckpointWriter() as writer:
        course = RunContext(
            training_config, seed, _dev_questions(data, asked, label_set), report, keep, writer, state
        )
        trainer = NerTrainer(network, rows, course)
        if trainer.patience.over:
            return
        trainer.train(resume_from_checkpoint=str(state) if trainer.snapshot else None)


@lru_cache(maxsize=2)
def _train_rows(
    data: EncodedCorpus, variant: str, label_alignment: str, pooled: bool, label_set: str = BIO
) -> WindowDataset:
    split = data.split("train")
    return WindowDataset(split, _encodings(split, variant), data.pad_id, label_alignment, pooled, label_set)


@dataclass(frozen=True)
class DevEvaluator:
    """The distinct encodings of an objective's variants of dev, and how often each counts in each."""

    examination: SplitEvaluator
    times: tuple[IntArray, ...]
    types: tuple[str, ...]
    objective: Objective

    def evaluate(self, model: torch.nn.Module, autocast: torch.dtype | None) -> dict[str, float]:
        """Objective, then the other scores and the loss: of the worst variant for a minimum, else means."""
        reading = self.examination.read(model, autocast)
        scored = [(*reading.score(self.types, times), reading.accuracy(times)) for times in self.times]
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


# Both caches outlive a trial: a warm worker lays its data out once per study.
@lru_cache(maxsize=2)
def _dev_questions(data: EncodedCorpus, objective: Objective, label_set: str = BIO) -> DevEvaluator:
    split = data.split("dev")
    asked = [_encodings(split, variant) for variant in objective.variants]
    distinct = np.unique(np.concatenate(asked))
    times = tuple(
        np.bincount(np.searchsorted(distinct, encodings), minlength=len(distinct)) for encodings in asked
    )
    examination = SplitEvaluator(split, distinct, data.pad_id, len(data.types), label_set)
    return DevEvaluator(examination, times, data.types, objective)


def _encodings(split: EncodedSplit, variant: str) -> IntArray:
    layout = arrange(variant, split.drawn)
    return split.variant_encodings(layout.forms, layout.sentences)


@dataclass(frozen=True)
class RunContext:
    """What a run follows besides its model and its rows."""

    training_config: TrainingConfig
    seed: int
    questions: DevEvaluator
    report: Report
    keep: Keep
    writer: CheckpointWriter
    state: Path | None


class NerTrainer(Trainer):
    """A Trainer with little padding, a training configuration's rates, and an evaluation that counts
    spans."""

    optimizer: torch.optim.Optimizer

    def __init__(self, model: PreTrainedModel, rows: WindowDataset, course: RunContext) -> None:
        self._ranks = ProcessGroup.here()
        self._drawn, self._tell = reading(model)
        counts = rows.label_counts(model.config.num_labels)
        self._loss = CorpusLoss(
            course.training_config, counts, batches=-(-len(rows) // course.training_config.batch_size)
        )
        super().__init__(
            model=model,
            args=arguments(course.training_config, course.seed),
            train_dataset=rows,
            compute_loss_func=self._loss,
        )
        self._ranks.seed_per_rank(course.seed, 0)
        self._course = course
        self.snapshot = read_snapshot(course.state) if course.state else None
        self.patience = self.snapshot.patience if self.snapshot else EarlyStopping()
        self._began = time.monotonic() - (self.snapshot.last.seconds if self.snapshot else 0.0)
        self._best = self.snapshot.best if self.snapshot else None
        self.remove_callback(PrinterCallback)
        self.add_callback(_Timetable(course.training_config.evals_per_epoch))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches with little padding, drawn by epoch, so that a run can go on in the middle of one."""
        training_config, rows, ranks = self._course.training_config, self.train_dataset, self._ranks
        loader = DataLoader(
            rows,
            batch_sampler=self._drawn(
                rows.lengths,
                training_config.batch_size,
                self._course.seed,
                ranks.own,
                ranks.count,
                training_config.accumulation_steps,
            ),
            collate_fn=lambda batch: batch,
            pin_memory=self.args.device.type == "cuda",
        )
        if ranks.count == 1:
            return self.accelerator.prepare(loader)
        # The parts are dealt out already; left to itself, Accelerate would deal out whole batches.
        return prepare_data_loader(loader, self.args.device, 1, 0, put_on_device=True)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW over the weights that are trained, in groups by their rates."""
        if self.optimizer is None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            decayed = self.get_decay_parameter_names(self.model)
            self.optimizer = kind(
                parameter_groups(self.model, self._course.training_config, decayed), **settings
            )
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """The training configuration's schedule, which hears of a cool-down when it has begun."""
        training_config = self._course.training_config
        timeline = TrainingSteps.of(training_config, num_training_steps // training_config.epochs)
        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer,
            lambda step: lr_multiplier(training_config, timeline, step, self.patience.cooling_since),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Forward and backward over a batch, in parts where the training configuration accumulates."""
        inputs = self._tell(inputs)
        parts = self._course.training_config.accumulation_steps
        if parts == 1:
            return super().training_step(model, inputs, num_items_in_batch)
        # The Trainer's own accumulation would count the parts, not the batches, as an epoch's steps.
        losses, cut = [], list(micro_batches(inputs, parts))
        for place, part in enumerate(cut, 1):
            # Once for all parts, of which another process may have fewer.
            with self.accelerator.no_sync(model) if place < len(cut) else nullcontext():
                losses.append(super().training_step(model, part, num_items_in_batch))
        return torch.stack(losses).sum()

    def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> int:
        """None are counted: nobody asks, and at every step it would go through all modules of the model."""
        return 0

    def _mind_patience(self, measurement: Measurement) -> None:
        pace = self.state.max_steps // self.state.num_train_epochs
        before, epoch = self.patience.cooling_since, measurement.step / pace
        self.patience = self.patience.after(
            self._course.training_config, measurement.f1, measurement.loss, epoch
        )
        if self.patience.cooling_since != before:
            set_step(self.lr_scheduler, measurement.step)  # the rate of the next step is set already
        if self.patience.over:
            self.control.should_training_stop = True

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure the model on dev, report it, and keep it if it is the run's best so far."""
        measurement = self._measure()
        if not measurement.finite:
            raise NonFiniteLoss(
                f"the loss is not finite after step {measurement.step}: "
                f"train {measurement.train_loss}, dev {measurement.loss}"
            )
        self._mind_patience(measurement)
        continues = self._write_and_report(measurement) if self._ranks.lead else True
        if not all(self._ranks.told([continues], self.args.device)):
            self.control.should_training_stop = True
        self._ranks.seed_per_rank(self._course.seed, measurement.step)
        return {"eval_f1": measurement.f1, "eval_loss": measurement.loss}

    def _measure(self) -> Measurement:
        """The same measurement in every process, of which the first takes it."""
        train_loss = self._loss_since_last()
        answers = dict.fromkeys(("f1", "precision", "recall", "loss", "accuracy"), 0.0)
        if self._ranks.lead:
            answers = self._course.questions.evaluate(self.model, autocast_dtype(self.args))
        keys = sorted(answers)
        own = (*map(answers.__getitem__, keys), time.monotonic() - self._began)
        *told, seconds = self._ranks.told(own, self.args.device)
        return Measurement(
            epoch=_Timetable.epoch_of(self.state, self._course.training_config.evals_per_epoch),
            step=self.state.global_step,
            **dict(zip(keys, told, strict=True)),
            train_loss=train_loss,
            seconds=seconds,
        )

    def _write_and_report(self, measurement: Measurement) -> bool:
        if self._best is None or measurement.sort_key > self._best.sort_key:
            self._best = measurement
            if folder := self._course.keep(measurement):
                self._course.writer.write(self.model, measurement.to_json(), folder)
        if self._course.state:
            self._course.writer.wait()  # a run that goes on from here takes its best for written
            pace = self.state.max_steps // self.state.num_train_epochs
            snapshot = Snapshot(measurement, self._best, pace, self.patience)
            write_snapshot(self._course.state, snapshot, self.model, self.optimizer)
        return self._course.report(measurement)

    # The three steps below are where the Trainer takes a run up again. Its own read pickles, and
    # know only of a run that goes on with the very settings it had.

    def _init_training_state(
        self,
        max_steps: int,
        steps_per_epoch: int,
        epochs: int,
        resume_from_checkpoint: str | None,
        trial: Any,
    ) -> tuple[int, int]:
        super()._init_training_state(max_steps, steps_per_epoch, epochs, None, trial)
        if self.snapshot is None:
            return 0, 0
        step = self.snapshot.last.step
        if steps_per_epoch != self.snapshot.steps_per_epoch:
            step = math.ceil(self.snapshot.last.epoch * steps_per_epoch)
        self.state.global_step = step
        self.state.epoch = step / steps_per_epoch
        return step // steps_per_epoch, step % steps_per_epoch

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        restore_optimizer(Path(checkpoint), self.optimizer)
        set_step(self.lr_scheduler, self.state.global_step)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            restore_random_state(Path(checkpoint))
            self._ranks.seed_per_rank(self._course.seed, self.snapshot.last.step if self.snapshot else 0)

    def _loss_since_last(self) -> float:
        taken = (
            self._ranks.mean(self._loss.batches_taken().to(self._tr_loss.device)).item() * self._ranks.count
        )
        loss = self._ranks.mean(self._tr_loss).item() / taken if taken else 0.0
        self._tr_loss -= self._tr_loss
        return float(loss)


class _Timetable(TrainerCallback):
    """Asks for an evaluation at every whole share of an epoch, to the nearest step after it."""

    def __init__(self, evals_per_epoch: int) -> None:
        self._evals_per_epoch = evals_per_epoch

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        steps = state.max_steps // state.num_train_epochs
        done = (state.global_step - 1) % steps + 1
        control.should_evaluate = (
            done * self._evals_per_epoch // steps > (done - 1) * self._evals_per_epoch // steps
        )

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_evaluate = False  # the last step of the epoch has asked already

    @staticmethod
    def epoch_of(state: TrainerState, evals_per_epoch: int) -> float:
        """Epochs done, rounded down to the timetable's shares, so that rungs at whole epochs are met."""
        steps = state.max_steps // state.num_train_epochs
        return math.floor(state.global_step * evals_per_epoch / steps) / evals_per_epoch
