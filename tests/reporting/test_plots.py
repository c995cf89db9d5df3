"""Tests of the plots of a study: which exist, and that they are reproducible."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from hpo.config.study import build_study
from hpo.evaluation.confusion import build_confusion
from hpo.reporting.plots import available_plots, draw_plots
from hpo.reporting.study_record import StudyRecord
from hpo.search.trial import State, Trial


def confusion(types):
    draw = np.random.default_rng(1)
    gold, found = (draw.integers(0, 2 * len(types) + 1, 60) for _ in range(2))
    return build_confusion(gold, found, np.array([0, 30, 60]), np.array([1, 1]), types, "cased")


@pytest.fixture
def record(measure):
    study = build_study({"name": "my-study", "trials": 3})
    trials = [
        Trial(n, study.space.defaults, n, State.COMPLETE, [measure(e, 0.1 * n + 0.01 * e) for e in (1, 2)])
        for n in range(3)
    ]
    tables = {"dev": confusion(("PER", "LOC")), "test": confusion(tuple(f"T{n}" for n in range(15)))}
    return StudyRecord(study, trials, None, {}, tables, None)


def test_draw_plots_saves_every_plot_as_png_and_svg(record, tmp_path):
    drawn = draw_plots(record, tmp_path)
    assert [plot.name for plot in drawn] == [
        "learning-curves",
        "confusion-entities-dev", "confusion-tokens-dev",
        "confusion-entities-test", "confusion-tokens-test",
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{plot.name}.{kind}" for plot in drawn for kind in ("png", "svg")
    }
    for plot in drawn:
        assert (tmp_path / f"{plot.name}.png").read_bytes().startswith(b"\x89PNG")
        text = (tmp_path / f"{plot.name}.svg").read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "my-study" in text


@pytest.mark.slow
def test_draw_plots_twice_gives_identical_files(record, tmp_path):
    for place in ("one", "two"):
        draw_plots(record, tmp_path / place)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_draw_plots_reduces_colours_and_keeps_the_resolution(record, tmp_path):
    from PIL import Image

    draw_plots(record, tmp_path)
    with Image.open(tmp_path / "learning-curves.png") as image:
        assert (image.mode, image.size) == ("P", (1440, 1020))
        assert [round(dots) for dots in image.info["dpi"]] == [150, 150]
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


def test_available_plots_without_measurements_is_empty(record):
    fresh = StudyRecord(record.study, [Trial(0, record.study.space.defaults, 0)], None, {}, {}, None)
    assert available_plots(fresh) == []


def test_import_of_reporting_does_not_load_matplotlib():
    code = "import sys, hpo.reporting.plots, hpo.reporting.report; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
