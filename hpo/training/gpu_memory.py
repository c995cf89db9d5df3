"""Limits a trial to its fraction of a GPU's memory, and reports running out of it in one line."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hpo.config.training_config import TrainingConfig

CONTEXT_BYTES = 2**29
"""GPU memory of a process besides its tensors, which PyTorch's limit does not count."""


class GpuExhausted(RuntimeError):
    """A trial needs more memory than its fraction of a GPU has."""


@contextmanager
def limit_gpu_memory(training_config: TrainingConfig, gpus: float) -> Iterator[None]:
    """Limit a trial to its fraction of a GPU's memory; a trial that needs more fails and frees its memory.

    ``gpus`` is a fraction in [0, 1), or a number of whole GPUs, whose memory is not limited.

    Raises
    ------
    GpuExhausted
        If the memory runs out.
    """
    if 0 < gpus < 1 and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(memory_fraction(gpus, total))
    try:
        yield
    except torch.OutOfMemoryError as error:
        traceback.clear_frames(error.__traceback__)  # the frames reference the model and its activations
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise GpuExhausted(_describe(training_config, gpus)) from None


def memory_fraction(gpus: float, total_bytes: int) -> float:
    """Return the fraction of a GPU's memory for the tensors of a process, so that all its trials fit."""
    return max(gpus / 2, gpus - CONTEXT_BYTES / total_bytes)


def _describe(training_config: TrainingConfig, gpus: float) -> str:
    has = f"{gpus:g} of a GPU" if 0 < gpus < 1 else "its GPU"
    fewer = ", or put fewer trials on a GPU: raise gpus_per_trial" if 0 < gpus < 1 else ""
    return (
        f"batch_size {training_config.batch_size} with accumulation_steps "
        f"{training_config.accumulation_steps} needs more "
        f"memory than {has} has (search smaller batches, or fix a higher accumulation_steps{fewer})"
    )
