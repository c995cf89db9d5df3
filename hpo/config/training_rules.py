"""Which hyperparameters go together: combinations that make no sense, and hyperparameters that nothing
would read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Possible = Mapping[str, Sequence[Any]]
"""For every hyperparameter the values that it may come to have: one where it is set, several where it is
searched."""


@dataclass(frozen=True)
class Rule:
    """What some hyperparameters must keep together: ``issue`` is called with their values, and says what
    is wrong."""

    hyperparameters: tuple[str, ...]
    issue: Callable[..., str | None]


def _one_warmup(ratio: float, epochs: float, steps: int) -> str | None:
    if sum(value > 0 for value in (ratio, epochs, steps)) < 2:
        return None
    given = f"warmup_ratio {ratio}, warmup_epochs {epochs}, warmup_steps {steps}"
    return f"the warm-up must be given once, and is given as {given}"


def _warmup_ends(warmup: float, epochs: int) -> str | None:
    return (
        f"warmup_epochs ({warmup:g}) must not be over epochs ({epochs}), or the rate never gets to its peak"
        if warmup > epochs
        else None
    )


def _cooldown_fits(schedule: str, cooldown: float, warmup: float, epochs: int) -> str | None:
    if schedule != "hybrid" or cooldown + warmup <= epochs:
        return None
    return (
        f"cooldown_epochs ({cooldown:g}) and warmup_epochs ({warmup:g}) together must not be over "
        f"epochs ({epochs}) where lr_schedule is hybrid"
    )


def _patience_suits(schedule: str, patience: int) -> str | None:
    if schedule == "adaptive" and not patience:
        return (
            "lr_schedule adaptive cools down when patience runs out, so patience must be at least 1, and is 0"
        )
    if schedule == "hybrid" and patience:
        return (
            f"lr_schedule hybrid cools down at a fixed time, before which patience ({patience}) might end "
            "the run; take adaptive, or patience 0"
        )
    return None


def _parts_of_a_batch(accumulation: int, batch: int) -> str | None:
    return (
        f"accumulation_steps ({accumulation}) must not be over batch_size ({batch}), which it divides"
        if accumulation > batch
        else None
    )


def _one_label_a_token(alignment: str, pooling: str) -> str | None:
    if alignment != "all" or pooling == "first":
        return None
    return f"label_alignment all does nothing with pooling {pooling}, which reads a token once"


RULES = (
    Rule(("warmup_ratio", "warmup_epochs", "warmup_steps"), _one_warmup),
    Rule(("warmup_epochs", "epochs"), _warmup_ends),
    Rule(("lr_schedule", "cooldown_epochs", "warmup_epochs", "epochs"), _cooldown_fits),
    Rule(("lr_schedule", "patience"), _patience_suits),
    Rule(("accumulation_steps", "batch_size"), _parts_of_a_batch),
    Rule(("label_alignment", "pooling"), _one_label_a_token),
)
"""Every rule of a training configuration that concerns more than one hyperparameter."""


@dataclass(frozen=True)
class Need:
    """What a hyperparameter needs of another to be read at all."""

    hyperparameter: str
    suits: Callable[[Any], bool]
    words: str


_STOPPING = Need("patience", lambda value: value > 0, "patience over 0")
_LORA = Need("lora_r", lambda value: value > 0, "lora_r over 0")
NEEDS: dict[str, Need] = {
    "lr_gamma": Need("lr_schedule", lambda value: value == "exponential", "lr_schedule exponential"),
    "lr_cycles": Need(
        "lr_schedule", lambda value: value == "cosine_with_restarts", "lr_schedule cosine_with_restarts"
    ),
    "cooldown_epochs": Need(
        "lr_schedule", lambda value: value in ("hybrid", "adaptive"), "lr_schedule hybrid or adaptive"
    ),
    "cooldown_restarts": Need("lr_schedule", lambda value: value == "adaptive", "lr_schedule adaptive"),
    "early_stopping_metric": _STOPPING,
    "min_delta": _STOPPING,
    "lora_alpha": _LORA,
    "lora_dropout": _LORA,
    "lora_targets": _LORA,
    "effective_beta": Need(
        "class_weighting", lambda value: value == "effective", "class_weighting effective"
    ),
}
"""The hyperparameters that are read only where another has certain values."""


def joint_issues(possible: Possible) -> Iterator[tuple[tuple[str, ...], str]]:
    """The rules that some combination of the values breaks: the hyperparameters of each, and what is
    wrong."""
    for rule in RULES:
        for values in product(*(possible[name] for name in rule.hyperparameters)):
            if issue := rule.issue(*values):
                yield rule.hyperparameters, issue
                break


def unread_hyperparameters(given: Iterable[str], possible: Possible) -> Iterator[tuple[str, str]]:
    """The hyperparameters among those given that no combination of the values would read, and what they
    need."""
    for name in given:
        need = NEEDS.get(name)
        if need and not any(map(need.suits, possible[need.hyperparameter])):
            yield name, f"would not be read: it needs {need.words}"
