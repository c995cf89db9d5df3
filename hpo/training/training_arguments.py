"""Translates a training configuration into transformers' TrainingArguments."""

from __future__ import annotations

import tempfile

import torch
from transformers import TrainingArguments

from hpo.config.training_config import TrainingConfig


def build_training_arguments(training_config: TrainingConfig, seed: int) -> TrainingArguments:
    """Return the Trainer's arguments; the Trainer's own logging, saving and evaluation are off."""
    gpu = torch.cuda.is_available()
    bf16 = training_config.precision == "bf16" or (
        training_config.precision == "auto" and gpu and torch.cuda.is_bf16_supported()
    )
    args = TrainingArguments(
        output_dir=tempfile.gettempdir(),  # must exist; nothing is written to it
        learning_rate=training_config.learning_rate,
        weight_decay=training_config.weight_decay,
        adam_beta1=training_config.adam_beta1,
        adam_beta2=training_config.adam_beta2,
        adam_epsilon=training_config.adam_epsilon,
        activation_checkpointing=training_config.gradient_checkpointing,
        activation_checkpointing_kwargs={
            "use_reentrant": False
        },  # reentrant checkpointing drops frozen embeddings
        num_train_epochs=training_config.epochs,
        per_device_train_batch_size=training_config.batch_size,
        max_grad_norm=training_config.max_grad_norm,
        bf16=bf16,
        fp16=training_config.precision == "fp16",
        use_cpu=not gpu,
        seed=seed,
        report_to=[],
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,  # checks the loss at each step and hides divergence
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    args._n_gpu = min(args.n_gpu, 1)  # one GPU per process: no DataParallel over other visible GPUs
    return args


def autocast_dtype(args: TrainingArguments) -> torch.dtype | None:
    """Return the dtype of evaluation under mixed precision, or None in full precision."""
    return torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else None
