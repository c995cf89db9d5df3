"""Tests of the results file and of the table that is rendered from it."""

import pytest

from benchmarks.speed.figures import FIGURES
from benchmarks.speed.results_store import read_results, render, save_figure, write_report
from benchmarks.speed.rows import Label, Work, at_least, at_most, ratio_row, value_row
from hpo.errors import UserError

FACTS = {
    "about": "how it is measured",
    "machine": {"cores": 2, "processor": "a processor", "commit": "c" * 40, "versions": {"torch": "2"}},
    "corpus": {"name": "made-up", "sha256": "0" * 64, "tags": "conll"},
    "quick": False,
    "profiled": False,
}
SPANS, STEP, WALL = Label("spans", "seqeval"), Label("step", "bare"), Label("wall", "peer")


def test_save_figure_replaces_the_earlier_measurement_and_keeps_the_others(tmp_path):
    path = tmp_path / "bench.json"
    save_figure(path, "spans", [ratio_row(SPANS, [1.0], [9.0])], FACTS)
    save_figure(path, "step", [ratio_row(STEP, [1.0], [1.0])], FACTS)
    save_figure(path, "spans", [ratio_row(SPANS, [1.0], [30.0], speedup=True)], FACTS)
    figures = read_results(path)["figures"]
    assert list(figures) == ["spans", "step"]
    assert [row["figure"]["median"] for row in figures["spans"]["rows"]] == [30.0]
    assert figures["step"]["rows"][0]["figure"]["median"] == 1.0


@pytest.mark.parametrize("content", ["[]", "{", '{"version": 0, "figures": {}}', "3"])
def test_save_figure_to_another_file_raises_and_keeps_it(tmp_path, content):
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(UserError, match="must be a benchmark results file of version 1"):
        save_figure(path, "spans", [], FACTS)
    assert path.read_text() == content


def test_write_report_shows_targets_whether_they_are_met_and_missing_figures(tmp_path):
    path = tmp_path / "bench.json"
    measured = [
        ratio_row(WALL, [1.0, 2.0, 3.0], [4.0, 4.0, 4.0], at_most(0.45), Work("8 / 8 trials")),
        ratio_row(Label("wall", "loop"), [3.0], [2.0], at_most(1.08), Work("7 / 8 trials", same=False)),
        value_row("fraction", [0.95], unit="", target=at_least(0.9)),
    ]
    results = save_figure(path, "search-8-short", measured, FACTS)
    notes = tmp_path / "bench-notes.md"
    lines = write_report(results, FIGURES, tmp_path / "bench.md", notes).splitlines()
    assert (
        "| wall | peer | 0.5 [0.25, 0.75]× | ≤ 0.45× | **no** | 2 [1, 3] s | 4 [4, 4] s | 3 | 8 / 8 trials |"
        in lines
    )
    assert (
        "| wall | loop | 1.5× | ≤ 1.08× | **no** | 3 s | 2 s | 1 | **not the same:** 7 / 8 trials |" in lines
    )
    assert any(line.startswith("| fraction | – | 0.95 | ≥ 0.9 | yes |") for line in lines)
    missing = next(line for line in lines if line.startswith("Not measured yet"))
    assert "spans" in missing and "search-8-short" not in missing
    assert (tmp_path / "bench.md").read_text().splitlines() == lines
    notes.write_text("## What was slow\n")
    assert write_report(results, FIGURES, tmp_path / "bench.md", notes).endswith("\n## What was slow\n")


def test_render_groups_figures_by_commit():
    other = FACTS | {"machine": FACTS["machine"] | {"commit": "d" * 40}}
    figures = {"spans": {"rows": [], **FACTS}, "step": {"rows": [], **other}, "matrix": {"rows": [], **FACTS}}
    text = render({"figures": figures}, FIGURES)
    assert [line for line in text.splitlines() if line.endswith(": spans, matrix")]
    assert [line for line in text.splitlines() if line.endswith(": step")]
