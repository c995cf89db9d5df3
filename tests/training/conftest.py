"""Fixtures for training runs."""

import pytest
import torch


@pytest.fixture
def optimizer_rates(monkeypatch):
    """The learning rate of each optimizer step, in order."""
    rates = []
    step = torch.optim.AdamW.step

    def recording_step(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", recording_step)
    return rates
