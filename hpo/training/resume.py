"""Writes and restores snapshots: the state of a run at an evaluation, from which it resumes.

Weights, optimizer and random state are safetensors, the rest is JSON; a snapshot contains no pickles.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerState

from hpo.models.lora import resumable_weights
from hpo.storage.atomic import atomic_replace
from hpo.training.measurement import SNAPSHOT_FILE, Snapshot

WEIGHTS, OPTIMIZER = "model.safetensors", "optimizer.safetensors"
TRAINER_STATE = "trainer_state.json"
_RANDOM = "random.{}"


def write_snapshot(
    folder: Path, snapshot: Snapshot, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Replace the snapshot in a folder atomically."""
    weights = {name: tensor.contiguous() for name, tensor in _distinct(resumable_weights(model)).items()}
    with atomic_replace(folder) as new:
        new.mkdir()
        save_file(weights, new / WEIGHTS, metadata={"format": "pt"})
        save_file(_flatten(optimizer) | _random_state(), new / OPTIMIZER)
        # The Trainer requires this file, but none of its values affect the run.
        TrainerState().save_to_json(str(new / TRAINER_STATE))
        # Written last: marks a complete snapshot even if the folder is copied instead of renamed.
        (new / SNAPSHOT_FILE).write_text(json.dumps(snapshot.to_json()), encoding="utf-8")


def _distinct(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return one name per tensor: safetensors rejects tied weights, which share memory."""
    named: dict[int, str] = {}
    for name, tensor in state.items():
        named.setdefault(tensor.data_ptr(), name)
    return {name: state[name] for name in named.values()}


def _flatten(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimizer state with keys ``PARAMETER.NAME``, for example ``3.exp_avg``."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{parameter}.{name}": value.contiguous() if isinstance(value, torch.Tensor) else torch.tensor(value)
        for parameter, values in state.items()
        for name, value in values.items()
    }


def _random_state() -> dict[str, torch.Tensor]:
    states = {_RANDOM.format("cpu"): torch.get_rng_state()}
    if torch.cuda.is_available():
        states[_RANDOM.format("cuda")] = torch.cuda.get_rng_state()
    return states


def restore_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> None:
    """Restore the moments of an optimizer; its hyperparameters keep their current values."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(folder / OPTIMIZER).items():
        parameter, name = key.split(".", 1)
        if parameter.isdigit():
            state.setdefault(int(parameter), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def restore_random_state(folder: Path) -> None:
    """Restore the state of torch's random number generators."""
    tensors = load_file(folder / OPTIMIZER)
    torch.set_rng_state(tensors[_RANDOM.format("cpu")])
    if torch.cuda.is_available() and _RANDOM.format("cuda") in tensors:
        torch.cuda.set_rng_state(tensors[_RANDOM.format("cuda")])
