"""Tests of the GPU figures: on the CPU with tiny sizes, and the error without a GPU."""

import json

import pytest

from benchmarks.speed.gpu_figures import FULL, QUICK, measure, render
from hpo.errors import UserError

FOUND = {
    "gpu": "H100",
    "precision": "bf16",
    "samples_per_s": {"trial": [90.0, 91.0, 500.0], "plain": [100.0, 100.0, 100.0]},
    "trials_per_hour": {"1": 10.0, "2": 18.25, "8": None},
}


def test_measure_without_a_gpu_raises_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError) as caught:
        measure(tmp_path / "bench-gpu", FULL)
    assert str(caught.value) == "python -m benchmarks gpu: requires a GPU (try it with --quick)"
    assert not list(tmp_path.iterdir())


def test_render_shows_medians_and_trials_that_run_out_of_memory():
    text = render(FOUND)
    assert "| a trial | 91 |" in text
    assert "A trial runs at 91% of the speed of the plain loop." in text
    assert text.endswith("| 1 | 10.0 |\n| 2 | 18.2 |\n| 8 | out of memory |\n")


@pytest.mark.slow
def test_measure_quick_writes_json_and_markdown(tmp_path):
    measure(tmp_path / "bench-gpu", QUICK)
    found = json.loads((tmp_path / "bench-gpu.json").read_text())
    assert found["quick"]
    assert found["gpu"] is None
    assert all(rate > 0 for rates in found["samples_per_s"].values() for rate in rates)
    assert list(found["trials_per_hour"]) == ["1", "2"]
    assert all(rate > 0 for rate in found["trials_per_hour"].values())
    assert (tmp_path / "bench-gpu.md").read_text() == render(found)
