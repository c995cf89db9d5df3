"""One training run: a Hugging Face Trainer that evaluates on dev and reports each measurement."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PrinterCallback

from hpo.config.objective import Objective
from hpo.corpora.label_sets import BIO
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.window_dataset import WindowDataset, micro_batches
from hpo.models.build import build_model
from hpo.models.checkpoints import CheckpointWriter
from hpo.models.packed_attention import enable_packing, packing_support
from hpo.models.pooling_head import FIRST
from hpo.training.ddp.process_group import ProcessGroup
from hpo.training.dev_evaluator import DevEvaluator, build_dev_evaluator, encodings_of_variant
from hpo.training.early_stopping import EarlyStopping
from hpo.training.evaluation_callback import EvaluationCallback, completed_epochs, steps_per_epoch
from hpo.training.losses import CorpusLoss
from hpo.training.lr_schedules import TrainingSteps, lr_multiplier, set_step
from hpo.training.measurement import Measurement, Snapshot, read_snapshot
from hpo.training.optimizer import freeze_layers, parameter_groups
from hpo.training.resumable_trainer import ResumableTrainer
from hpo.training.resume import write_snapshot
from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask
from hpo.training.training_arguments import autocast_dtype, build_training_arguments


def train(task: TrainingTask, callbacks: TrainingCallbacks) -> None:
    """Train one model on a case variant of the train split and evaluate it on dev.

    Runs to the last epoch of the training configuration, until early stopping ends it, or until
    ``callbacks.report`` returns False. A run that resumes with the training configuration of its snapshot
    continues exactly as if it had not stopped. With another configuration it continues from the same
    fraction of an epoch, with the new hyperparameters.

    Raises
    ------
    NonFiniteLoss
        If the loss diverges; raised at the next evaluation.
    """
    config = task.training_config
    data = EncodedCorpus.open(task.corpus)
    label_set, labels = data.model_labels(config.label_scheme)
    model = build_model(task.model, labels, data.vocabulary, config, task.seed)
    dataset = train_dataset(data, task.train_on, config.label_alignment, config.pooling != FIRST, label_set)
    freeze_layers(model, config)
    objective = task.objective or Objective("mean", (task.train_on,))
    with CheckpointWriter() as writer:
        context = RunContext(task, callbacks, build_dev_evaluator(data, objective, label_set), writer)
        trainer = NerTrainer(model, dataset, context)
        if not trainer.early_stopping.over:
            trainer.train(resume_from_checkpoint=str(task.resume_dir) if trainer.snapshot else None)


@lru_cache(maxsize=2)  # shared by the trials of a worker, so that the rows are built once per study
def train_dataset(
    data: EncodedCorpus, variant: str, label_alignment: str, pooled: bool, label_set: str = BIO
) -> WindowDataset:
    """Return a case variant of the train split, with the labels that the model learns."""
    split = data.split("train")
    return WindowDataset(
        split, encodings_of_variant(split, variant), data.pad_id, label_alignment, pooled, label_set
    )


@dataclass(frozen=True)
class RunContext:
    """What a run uses besides its model and its train dataset."""

    task: TrainingTask
    callbacks: TrainingCallbacks
    dev_evaluator: DevEvaluator
    writer: CheckpointWriter


class NerTrainer(ResumableTrainer):
    """A Trainer with packed or length-grouped batches, per-layer learning rates and span-level evaluation.

    In a distributed run, the main process evaluates, reports and writes for all processes.
    """

    def __init__(self, model: PreTrainedModel, dataset: WindowDataset, context: RunContext) -> None:
        task = context.task
        config = task.training_config
        self._config = config
        self._context = context
        self._batch_sampler, self._attention_inputs = packing_support(model)
        enable_packing(model)
        counts = dataset.label_counts(model.config.num_labels)
        self._loss = CorpusLoss(config, counts, batches=-(-len(dataset) // config.batch_size))
        super().__init__(
            read_snapshot(task.resume_dir) if task.resume_dir else None,
            task.seed,
            ProcessGroup.current(),
            model=model,
            args=build_training_arguments(config, task.seed),
            train_dataset=dataset,
            compute_loss_func=self._loss,
        )
        self._process_group.seed_per_rank(task.seed, 0)
        self.early_stopping = self.snapshot.early_stopping if self.snapshot else EarlyStopping()
        self._best = self.snapshot.best if self.snapshot else None
        self._started_at = time.monotonic() - (self.snapshot.last.seconds if self.snapshot else 0.0)
        self.remove_callback(PrinterCallback)
        self.add_callback(EvaluationCallback(config.evals_per_epoch))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of this process's share of the batches, drawn from the seed and the epoch."""
        group = self._process_group
        loader = DataLoader(
            self.train_dataset,
            batch_sampler=self._batch_sampler(
                self.train_dataset.lengths,
                self._config.batch_size,
                self._seed,
                group.rank,
                group.world_size,
                self._config.accumulation_steps,
            ),
            collate_fn=lambda batch: batch,
            pin_memory=self.args.device.type == "cuda",
        )
        if group.world_size == 1:
            return self.accelerator.prepare(loader)
        # The sampler splits each batch between the processes; Accelerate would assign whole batches.
        return prepare_data_loader(loader, self.args.device, 1, 0, put_on_device=True)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Return AdamW over the trained weights, grouped by learning rate and weight decay."""
        if self.optimizer is None:
            optimizer_class, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            decayed = self.get_decay_parameter_names(self.model)
            self.optimizer = optimizer_class(parameter_groups(self.model, self._config, decayed), **settings)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Return the learning rate schedule, which reads the start of a cool-down from early stopping."""
        config = self._config
        steps = TrainingSteps.of(config, num_training_steps // config.epochs)
        return self.install_scheduler(
            LambdaLR(
                optimizer or self.optimizer,
                lambda step: lr_multiplier(config, steps, step, self.early_stopping.cooling_since),
            )
        )

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Run forward and backward over a batch, in ``accumulation_steps`` parts; *shape:* ()."""
        inputs = self._attention_inputs(inputs)
        if self._config.accumulation_steps == 1:
            return super().training_step(model, inputs, num_items_in_batch)
        # The Trainer's own accumulation would count parts instead of batches as the steps of an epoch.
        losses = []
        parts = list(micro_batches(inputs, self._config.accumulation_steps))
        for number, part in enumerate(parts, 1):
            # Synchronize once per batch: another process may have fewer parts.
            with self.accelerator.no_sync(model) if number < len(parts) else nullcontext():
                losses.append(super().training_step(model, part, num_items_in_batch))
        return torch.stack(losses).sum()

    def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> int:
        """Return 0: counting would visit all modules of the model at each step, for a number nobody reads."""
        return 0

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate on dev, report the measurement, and write a checkpoint if it is the best of the run."""
        measurement = self._measure()
        if not measurement.finite:
            raise NonFiniteLoss(
                f"the loss is not finite after step {measurement.step}: "
                f"train {measurement.train_loss}, dev {measurement.loss}"
            )
        self._update_early_stopping(measurement)
        continues = self._write_and_report(measurement) if self._process_group.is_main else True
        if not all(self._process_group.broadcast([continues], self.args.device)):
            self.control.should_training_stop = True
        self._process_group.seed_per_rank(self._seed, measurement.step)
        return {"eval_f1": measurement.f1, "eval_loss": measurement.loss}

    def _measure(self) -> Measurement:
        """Evaluate in the main process and return the same measurement in every process."""
        train_loss = self._mean_training_loss()
        scores = dict.fromkeys(("f1", "precision", "recall", "loss", "accuracy"), 0.0)
        if self._process_group.is_main:
            scores = self._context.dev_evaluator.evaluate(self.model, autocast_dtype(self.args))
        names = sorted(scores)
        local = (*map(scores.__getitem__, names), time.monotonic() - self._started_at)
        *values, seconds = self._process_group.broadcast(local, self.args.device)
        return Measurement(
            epoch=completed_epochs(self.state, self._config.evals_per_epoch),
            step=self.state.global_step,
            **dict(zip(names, values, strict=True)),
            train_loss=train_loss,
            seconds=seconds,
        )

    def _mean_training_loss(self) -> float:
        """Return the mean loss per batch of average size since the last evaluation, over all processes."""
        group = self._process_group
        summed = self.pop_training_loss()
        batches = group.mean(self._loss.pop_batch_count().to(summed.device)).item() * group.world_size
        mean = group.mean(summed).item()
        return float(mean / batches) if batches else 0.0

    def _update_early_stopping(self, measurement: Measurement) -> None:
        cooling_since = self.early_stopping.cooling_since
        epoch = measurement.step / steps_per_epoch(self.state)
        self.early_stopping = self.early_stopping.update(
            self._config, measurement.f1, measurement.loss, epoch
        )
        if self.early_stopping.cooling_since != cooling_since:
            # The scheduler has already set the next step's rate.
            set_step(self.lr_scheduler, measurement.step)
        if self.early_stopping.over:
            self.control.should_training_stop = True

    def _write_and_report(self, measurement: Measurement) -> bool:
        task = self._context.task
        callbacks = self._context.callbacks
        writer = self._context.writer
        if self._best is None or measurement.sort_key > self._best.sort_key:
            self._best = measurement
            if folder := callbacks.on_new_best(measurement):
                writer.write(self.model, measurement.to_json(), folder)
        if task.resume_dir:
            writer.wait()  # a run that resumes from this snapshot does not write its best checkpoint again
            snapshot = Snapshot(measurement, self._best, steps_per_epoch(self.state), self.early_stopping)
            write_snapshot(task.resume_dir, snapshot, self.model, self.optimizer)
        return callbacks.report(measurement)
