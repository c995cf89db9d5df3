"""The figures of a GPU: that they come out, on the CPU and in small, and what is said where there is none."""

import json

import pytest

from benchmarks.speed.gpu_figures import (
    FULL,
    QUICK,
    measure,
    render,
)
from hpo.errors import UserError

FOUND = {
    "gpu": "H100",
    "precision": "bf16",
    "samples_per_s": {"trial": [90.0, 91.0, 500.0], "plain": [100.0, 100.0, 100.0]},
    "trials_per_hour": {"1": 10.0, "2": 18.25, "8": None},
}


def test_without_a_gpu_there_is_one_line_and_no_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError) as caught:
        measure(tmp_path / "bench-gpu", FULL)
    assert (
        str(caught.value) == "python -m benchmarks gpu: needs a GPU, and there is none (try it with --quick)"
    )
    assert not list(tmp_path.iterdir())


def test_figures_are_told_as_medians_and_a_trial_that_does_not_fit_as_such():
    text = render(FOUND)
    assert "| a trial | 91 |" in text
    assert "A trial runs at 91% of the plain loop." in text
    assert text.endswith("| 1 | 10.0 |\n| 2 | 18.2 |\n| 8 | out of memory |\n")


@pytest.mark.slow
def test_the_figures_come_out_in_small(tmp_path):
    """On the CPU, so that only the code is tried: no figure of it means anything."""
    measure(tmp_path / "bench-gpu", QUICK)
    found = json.loads((tmp_path / "bench-gpu.json").read_text())
    assert found["quick"]
    assert found["gpu"] is None
    assert all(rate > 0 for rates in found["samples_per_s"].values() for rate in rates)
    assert list(found["trials_per_hour"]) == ["1", "2"]
    assert all(rate > 0 for rate in found["trials_per_hour"].values())
    assert (tmp_path / "bench-gpu.md").read_text() == render(found)
