"""A trial's share of a GPU's memory: held to, and told in one line where it does not suffice."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hpo.config.training_config import TrainingConfig

CONTEXT_BYTES = 2**29
"""What a process takes of a GPU besides its tensors, and PyTorch's own limit does not count."""


class GpuExhausted(RuntimeError):
    """A trial needs more memory than its share of a GPU has."""


@contextmanager
def limit_gpu_memory(training_config: TrainingConfig, gpus: float) -> Iterator[None]:
    """Keep a trial to its share of a GPU's memory; one that needs more fails alone, and gives its own back.

    ``gpus`` is the share in [0, 1), or a number of whole GPUs, on which there is nobody to keep from.

    Raises
    ------
    GpuExhausted
        if the memory has run out.
    """
    if 0 < gpus < 1 and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(memory_fraction(gpus, total))
    try:
        yield
    except torch.OutOfMemoryError as error:
        traceback.clear_frames(error.__traceback__)  # they hold the model and all that it computed
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise GpuExhausted(_remedy(training_config, gpus)) from None


def memory_fraction(gpus: float, total_bytes: int) -> float:
    """The share of a GPU's memory that a process may fill with tensors, so that all trials on it fit."""
    return max(gpus / 2, gpus - CONTEXT_BYTES / total_bytes)


def _remedy(training_config: TrainingConfig, gpus: float) -> str:
    has = f"{gpus:g} of a GPU" if 0 < gpus < 1 else "its GPU"
    fewer = ", or put fewer trials on a GPU: raise gpus_per_trial" if 0 < gpus < 1 else ""
    return (
        f"batch_size {training_config.batch_size} with accumulation_steps "
        f"{training_config.accumulation_steps} needs more "
        f"memory than {has} has (search smaller batches, or fix a higher accumulation_steps{fewer})"
    )
