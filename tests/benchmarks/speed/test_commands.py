"""Tests of the benchmark commands at tiny sizes."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.speed.figures import select_figures
from benchmarks.speed.results_store import read_results


@pytest.mark.parametrize("command", ["speed", "gpu", "table", "search record", "search compare"])
def test_command_help_shows_an_example(command):
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0, done.output
    assert f"Example: python -m benchmarks {command}" in done.output


def test_speed_with_an_unknown_figure_fails(tmp_path):
    done = CliRunner().invoke(app, ["speed", "--only", "sp", "--out", str(tmp_path / "bench")])
    assert done.exit_code != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_speed_quick_writes_the_selected_figures(tmp_path):
    """Without the searches, which take minutes at any size."""
    figures = "step,padding,encoding,spans,driver-100"
    options = ["--quick", "--repeat", "1", "--only", figures, "--out", str(tmp_path / "bench")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed", *options],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = read_results(tmp_path / "bench.json")
    assert list(results["figures"]) == select_figures(figures.split(","))
    assert (tmp_path / "bench.md").read_text().strip() == done.stdout.strip()
    assert "driver-10000" in done.stdout.split("Not measured yet: ")[1]
