"""The algorithms: who proposes configurations, and whether bad trials are stopped."""

from __future__ import annotations

from dataclasses import dataclass

TPE_LIBRARIES = ("optuna", "hyperopt")
"""Libraries whose TPE can propose the configurations of an algorithm that leaves it open."""


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
"""Hyperparameters that a training run can change on its way.

Of the others some decide what is measured, and when, and some which weights an optimizer holds in which
groups, whose moments a run takes with it.
"""


@dataclass(frozen=True)
class Algorithm:
    """One way to search: a sampler, a scheduler, and what the pair supports.

    ``title`` is the name in the result matrix. ``sampler`` proposes the configurations; None selects the
    study's sampler. ``scheduler`` decides which trials continue. ``stops``: it stops trials early.
    ``population``: hyperparameters change during training. ``allows_early_end``: a trial may end before its
    last epoch, because no other trial waits for it. ``repeats``: each configuration can be trained under
    several seeds, because no trial is stopped or changed.
    """

    title: str
    description: str
    sampler: str | None
    scheduler: str
    stops: bool
    population: bool = False
    allows_early_end: bool = False
    repeats: bool = False


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
        "independent draws, halved in brackets that wait for all of theirs",
        "random",
        "hyperband",
        stops=True,
    ),
    "bohb": Algorithm(
        "BOHB", "kernel densities propose, HyperBand's brackets stop", "bohb", "hyperband", stops=True
    ),
    "random": Algorithm(
        "Random",
        "independent draws, all to the last epoch",
        "random",
        "none",
        stops=False,
        allows_early_end=True,
        repeats=True,
    ),
    "grid": Algorithm(
        "Grid",
        "every combination once, all to the last epoch",
        "grid",
        "none",
        stops=False,
        allows_early_end=True,
        repeats=True,
    ),
    "pbt": Algorithm(
        "PBT",
        "a population in which the worst go on from copies of the best",
        "random",
        "pbt",
        stops=False,
        population=True,
    ),
    "pb2": Algorithm(
        "PB2",
        "PBT whose continuous hyperparameters a model of their gains chooses",
        "random",
        "pb2",
        stops=False,
        population=True,
    ),
}
