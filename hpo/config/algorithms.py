"""The search algorithms: pairs of a sampler and a scheduler, and what each pair supports."""

from __future__ import annotations

from dataclasses import dataclass

TPE_LIBRARIES = ("optuna", "hyperopt")
"""Libraries with a TPE sampler, for algorithms without a sampler; the first is the default."""


CHANGEABLE = (
    "learning_rate",
    "weight_decay",
    "warmup_ratio",
    "warmup_epochs",
    "warmup_steps",
    "lr_schedule",
    "lr_gamma",
    "lr_cycles",
    "cooldown_epochs",
    "batch_size",
    "accumulation_steps",
    "attention_dropout",
    "hidden_dropout",
    "classifier_dropout",
    "lora_dropout",
    "max_grad_norm",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "label_smoothing",
    "class_weighting",
    "effective_beta",
)
"""Hyperparameters that can change during training.

The others determine what is evaluated and when, or the parameter groups of the optimizer, whose moments
are kept.
"""


@dataclass(frozen=True)
class Algorithm:
    """One way to search: a sampler, a scheduler, and what the pair supports.

    ``title`` is the name in the result matrix. ``sampler`` proposes the configurations; None selects the
    study's sampler. ``scheduler`` decides which trials continue. ``stops``: it stops trials early.
    ``population_based``: hyperparameters change during training. ``allows_early_end``: a trial may end
    before its last epoch, because no other trial waits for it. ``repeats``: each configuration can be
    trained under several seeds, because no trial is stopped or changed. ``needs_continuous``: the space
    must have a continuous hyperparameter.
    """

    title: str
    description: str
    sampler: str | None
    scheduler: str
    stops: bool
    population_based: bool = False
    allows_early_end: bool = False
    repeats: bool = False
    needs_continuous: bool = False


ALGORITHMS: dict[str, Algorithm] = {
    "asha": Algorithm(
        "ASHA",
        "TPE proposes, asynchronous successive halving stops",
        None,
        "asha",
        stops=True,
        allows_early_end=True,
    ),
    "hyperband": Algorithm(
        "HyperBand",
        "independent draws, synchronous successive halving in brackets",
        "random",
        "hyperband",
        stops=True,
    ),
    "bohb": Algorithm("BOHB", "kernel densities propose, HyperBand stops", "bohb", "hyperband", stops=True),
    "random": Algorithm(
        "Random",
        "independent draws, all trained to the last epoch",
        "random",
        "none",
        stops=False,
        allows_early_end=True,
        repeats=True,
    ),
    "grid": Algorithm(
        "Grid",
        "every combination once, all trained to the last epoch",
        "grid",
        "none",
        stops=False,
        allows_early_end=True,
        repeats=True,
    ),
    "pbt": Algorithm(
        "PBT",
        "a population in which the worst trials copy the best",
        "random",
        "pbt",
        stops=False,
        population_based=True,
    ),
    "pb2": Algorithm(
        "PB2",
        "PBT with a Gaussian process that chooses continuous hyperparameters",
        "random",
        "pb2",
        stops=False,
        population_based=True,
        needs_continuous=True,
    ),
}
