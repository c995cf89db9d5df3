"""The memory limit of a trial that uses a fraction of a GPU."""

import pytest
import torch

from hpo.config.training_config import TrainingConfig
from hpo.training.gpu_memory import GpuExhausted, limit_gpu_memory, memory_fraction


@pytest.mark.parametrize(
    "gpus, total, expected",
    [(0.25, 80 * 2**30, 0.25 - 0.5 / 80), (0.5, 16 * 2**30, 0.5 - 0.5 / 16), (0.1, 4 * 2**30, 0.05)],
)
def test_memory_fraction_leaves_memory_for_the_cuda_context(gpus, total, expected):
    assert memory_fraction(gpus, total) == pytest.approx(expected)


def test_limit_gpu_memory_when_exhausted_raises_one_line_and_frees_memory():
    class Heavy:
        alive = 0

        def __init__(self):
            Heavy.alive += 1

        def __del__(self):
            Heavy.alive -= 1

    def compute():
        model = Heavy()
        raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {model}")

    with pytest.raises(GpuExhausted) as caught, limit_gpu_memory(TrainingConfig(batch_size=64), 0.25):
        compute()
    assert str(caught.value) == (
        "batch_size 64 with accumulation_steps 1 needs more memory than 0.25 of a GPU has "
        "(search smaller batches, or fix a higher accumulation_steps, "
        "or put fewer trials on a GPU: raise gpus_per_trial)"
    )
    assert Heavy.alive == 0, "the exception still exists"


def test_limit_gpu_memory_limits_fractions_only(monkeypatch):
    """A mocked GPU records the calls to PyTorch."""
    limits = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: type("Gpu", (), {"total_memory": 64 * 2**30})
    )
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limits.append)
    for gpus in (0, 1, 4, 0.5):
        with limit_gpu_memory(TrainingConfig(), gpus):
            pass
    assert limits == [0.5 - 0.5 / 64]
