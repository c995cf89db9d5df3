"""Which hyperparameters fit together: invalid combinations, and hyperparameters without effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Possible = Mapping[str, Sequence[Any]]
"""The values that each hyperparameter can take: one if it is set, several if it is searched."""


@dataclass(frozen=True)
class Rule:
    """A condition on several hyperparameters; ``issue`` takes their values and returns what is wrong."""

    hyperparameters: tuple[str, ...]
    issue: Callable[..., str | None]


def _one_warmup(ratio: float, epochs: float, steps: int) -> str | None:
    if sum(value > 0 for value in (ratio, epochs, steps)) < 2:
        return None
    return f"set at most one of warmup_ratio ({ratio}), warmup_epochs ({epochs}) and warmup_steps ({steps})"


def _warmup_ends(warmup: float, epochs: int) -> str | None:
    if warmup <= epochs:
        return None
    return (
        f"warmup_epochs ({warmup:g}) must be at most epochs ({epochs}); "
        "otherwise the learning rate never reaches its peak"
    )


def _cooldown_fits(schedule: str, cooldown: float, warmup: float, epochs: int) -> str | None:
    if schedule != "hybrid" or cooldown + warmup <= epochs:
        return None
    return (
        f"cooldown_epochs ({cooldown:g}) plus warmup_epochs ({warmup:g}) must be at most epochs ({epochs}) "
        "with lr_schedule hybrid"
    )


def _patience_suits(schedule: str, patience: int) -> str | None:
    if schedule == "adaptive" and not patience:
        return "patience must be at least 1 with lr_schedule adaptive, which cools down when it runs out"
    if schedule == "hybrid" and patience:
        return (
            f"patience ({patience}) must be 0 with lr_schedule hybrid, which cools down at a fixed time; "
            "lr_schedule adaptive cools down when patience runs out"
        )
    return None


def _parts_of_a_batch(accumulation: int, batch: int) -> str | None:
    if accumulation <= batch:
        return None
    return f"accumulation_steps ({accumulation}) must be at most batch_size ({batch}), which it divides"


def _one_label_a_token(alignment: str, pooling: str) -> str | None:
    if alignment != "all" or pooling == "first":
        return None
    return f"label_alignment all has no effect with pooling {pooling}, which predicts once per token"


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
    """The condition on another hyperparameter under which a hyperparameter has an effect."""

    hyperparameter: str
    suits: Callable[[Any], bool]
    words: str


_STOPPING = Need("patience", lambda value: value > 0, "patience of at least 1")
_LORA = Need("lora_r", lambda value: value > 0, "lora_r of at least 1")
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
"""The hyperparameters that have an effect only for certain values of another one."""


def broken_rules(possible: Possible) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the hyperparameters and the message of each rule that a combination of values breaks.

    Rules that read a hyperparameter without values are skipped.
    """
    for rule in RULES:
        if not all(name in possible for name in rule.hyperparameters):
            continue
        for values in product(*(possible[name] for name in rule.hyperparameters)):
            if issue := rule.issue(*values):
                yield rule.hyperparameters, issue
                break


def unread_hyperparameters(given: Iterable[str], possible: Possible) -> Iterator[tuple[str, str]]:
    """Yield each given hyperparameter that has no effect for any combination of values, and what it needs."""
    for name in given:
        need = NEEDS.get(name)
        values = possible.get(need.hyperparameter) if need else None
        if need and values and not any(map(need.suits, values)):
            yield name, f"has no effect: it needs {need.words}"
