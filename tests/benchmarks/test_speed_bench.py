"""The bench of speed: its sums, its table, its ledger, and how it counts what processes write."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed import processes
from benchmarks.speed.component_figures import paired_interval
from benchmarks.speed.contestants import CONTESTANTS
from benchmarks.speed.figures import FIGURES, select_figures
from benchmarks.speed.instrumentation import summarize_log, trial_gaps
from benchmarks.speed.processes import (
    ContestantFailed,
    descendants,
    disk_bytes,
    run_contestant,
    track_usage,
)
from benchmarks.speed.results_store import (
    read_results,
    render,
    save_figure,
    write_report,
)
from benchmarks.speed.rows import (
    Row,
    Spread,
    at_least,
    at_most,
    ratio_row,
    value_row,
)
from benchmarks.speed.search_figures import configurations, study_options
from benchmarks.speed.settings import QUICK_SIZES, BenchmarkContext
from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.storage.atomic import write_lines

MIB = 2**20
seconds = st.floats(0.01, 1e4)


@given(st.lists(seconds, min_size=1, max_size=9))
def test_a_spread_holds_its_values(values):
    spread = Spread.of(values)
    assert (spread.low, spread.high, spread.n) == (min(values), max(values), len(values))
    assert sum(each <= spread.median for each in values) * 2 >= len(values)
    assert sum(each >= spread.median for each in values) * 2 >= len(values)


def test_a_ratio_is_taken_within_each_repetition():
    """On a machine that slows down tenfold the ratios stay, where a ratio of medians would not."""
    row = ratio_row("wall", "peer", [1.0, 10.0, 20.0], [2.0, 40.0, 50.0], asked=at_most(0.45))
    assert (row.figure.median, row.figure.low, row.figure.high) == (0.4, 0.25, 0.5)
    assert row.ours.median == 10.0
    assert row.peer == Spread(40.0, 2.0, 50.0, 3)
    assert row.met
    faster = ratio_row("score", "peer", [1.0], [4.0], asked=at_least(4), times_as_fast=True)
    assert faster.figure.median == 4.0
    assert faster.met
    with pytest.raises(ValueError, match="shorter"):
        ratio_row("wall", "peer", [1.0, 2.0], [1.0])


def test_a_figure_is_not_met_where_the_arms_did_not_do_the_same():
    kept = {"ours": [1.0], "peer": [4.0], "asked": at_most(0.5)}
    assert ratio_row("wall", "peer", **kept).met is True
    assert ratio_row("wall", "peer", **kept, alike=False).met is False
    assert ratio_row("wall", "peer", [3.0], [4.0], asked=at_most(0.5)).met is False
    assert ratio_row("wall", "peer", [3.0], [4.0]).met is None


spreads = st.builds(Spread, seconds, seconds, seconds, st.just(3))
words = st.text(max_size=5)
limits = st.builds(at_most, seconds) | st.builds(at_least, seconds)
rows = st.builds(
    Row, words, words, spreads, spreads, st.none() | spreads, words, st.none() | limits, words, st.booleans(),
    st.booleans(),
)  # fmt: skip


@given(rows)
def test_a_row_is_read_as_it_was_written(row):
    assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row


FACTS = {
    "about": "how it is taken",
    "machine": {"cores": 2, "processor": "a processor", "commit": "c" * 40, "versions": {"torch": "2"}},
    "corpus": {"name": "made-up", "sha256": "0" * 64, "tags": "conll"},
    "quick": False,
    "profiled": False,
}


def test_figures_are_entered_one_by_one_and_a_later_one_replaces_its_own(tmp_path):
    path = tmp_path / "bench.json"
    save_figure(path, "spans", [ratio_row("spans", "seqeval", [1.0], [9.0])], FACTS)
    save_figure(path, "step", [ratio_row("step", "bare", [1.0], [1.0])], FACTS)
    save_figure(path, "spans", [ratio_row("spans", "seqeval", [1.0], [30.0], times_as_fast=True)], FACTS)
    results = read_results(path)
    assert list(results["figures"]) == ["spans", "step"]
    assert [row["figure"]["median"] for row in results["figures"]["spans"]["rows"]] == [30.0]
    assert results["figures"]["step"]["rows"][0]["figure"]["median"] == 1.0


@pytest.mark.parametrize("content", ["[]", "{", '{"version": 0, "figures": {}}', "3"])
def test_what_is_no_ledger_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(UserError, match="is no bench of this version"):
        save_figure(path, "spans", [], FACTS)
    assert path.read_text() == content


def test_the_table_shows_what_was_asked_whether_it_was_met_and_what_is_missing(tmp_path):
    path = tmp_path / "bench.json"
    measured = [
        ratio_row("wall", "peer", [1.0, 2.0, 3.0], [4.0, 4.0, 4.0], asked=at_most(0.45), work="8 / 8 trials"),
        ratio_row("wall", "loop", [3.0], [2.0], asked=at_most(1.08), work="7 / 8 trials", alike=False),
        value_row("share", [0.95], unit="", asked=at_least(0.9)),
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
    assert any(line.startswith("| share | – | 0.95 | ≥ 0.9 | yes |") for line in lines)
    missing = next(line for line in lines if line.startswith("Not taken yet"))
    assert "spans" in missing and "search-8-short" not in missing
    assert (tmp_path / "bench.md").read_text().splitlines() == lines
    notes.write_text("## What was slow\n")
    assert write_report(results, FIGURES, tmp_path / "bench.md", notes).endswith("\n## What was slow\n")


def test_figures_of_different_commits_are_told_apart():
    other = FACTS | {"machine": FACTS["machine"] | {"commit": "d" * 40}}
    taken = {"spans": {"rows": [], **FACTS}, "step": {"rows": [], **other}, "matrix": {"rows": [], **FACTS}}
    text = render({"figures": taken}, FIGURES)
    assert [line for line in text.splitlines() if line.endswith(": spans, matrix")]
    assert [line for line in text.splitlines() if line.endswith(": step")]


def test_figures_are_chosen_by_name_or_by_how_it_begins():
    assert select_figures(["spans", " step "]) == ["step", "spans"]
    assert select_figures(["search-8"]) == ["search-8-short", "search-8-long"]
    assert select_figures(["driver"]) == ["driver-100", "driver-1000", "driver-10000"]
    assert select_figures([""]) == list(FIGURES)
    with pytest.raises(UserError, match=r"unknown figure \(got 'sp'"):
        select_figures(["sp"])


def test_every_arm_is_there():
    for place in CONTESTANTS.values():
        module, function = place.split(":")
        source = Path(processes.__file__).parents[2] / f"{module.replace('.', '/')}.py"
        assert f"def {function}(spec" in source.read_text()


def test_all_arms_are_given_the_same_configurations_in_order():
    configs = configurations(5, seed=3)
    assert configs == configurations(5, seed=3) != configurations(5, seed=4)
    context = BenchmarkContext("demo", "conll", Path(), sizes=QUICK_SIZES)
    study = build_study(study_options(context, configs, "asha", 3) | {"name": "s"})
    assert list(study.space.points_to_evaluate) == configs
    assert study.trials == 5


def test_gaps_are_from_the_end_of_a_trial_to_the_first_step_in_its_place():
    def run(first_step, end):
        return {"first_step": first_step, "time": end}

    assert trial_gaps([run(1, 10), run(2, 5), run(5.5, 12), run(10.25, 20)], slots=2) == [0.5, 0.25]
    assert trial_gaps([run(1, 10)], slots=2) == []


def test_a_watch_comes_to_the_last_line_of_each_run(tmp_path):
    def line(trial, begun, time, **facts):
        usual = {"first_step": begun + 0.5, "steps": 2, "train_s": 2.0, "eval_s": 1.0, "rss": 7, "pid": 1}
        tokens = {"real": {"train": 3, "eval": 2}, "padded": {"train": 4, "eval": 2}}
        return {"trial": trial, "begun": begun, "time": time, **usual, **tokens, **facts}

    log = tmp_path / "recording.jsonl"
    lines = [
        {"trial": 0, "begun": 100.0, "time": 100.0, "pid": 1},
        line(0, 100.0, 104.0, epoch=1.0, f1=0.6),
        line(0, 100.0, 108.0, epoch=2.0, f1=0.5, train_s=5.0),
        line(1, 101.0, 105.0, epoch=1.0, f1=0.1),
        line(0, 109.0, 112.0, epoch=3.0, f1=0.4),  # taken up again
    ]
    write_lines(log, lines)
    found = summarize_log(log, slots=2)
    assert (found["trials"], found["epochs"], found["best_f1"]) == (2, 4.0, 0.6)
    assert found["work_s"] == (5.0 + 1.0) + (2.0 + 1.0) + (2.0 + 1.0)
    assert found["span_s"] == 12.0
    assert found["tokens"] == {"train": [9, 12], "eval": [6, 6]}
    assert found["gaps_s"] == [109.5 - 105.0]


def test_the_interval_of_paired_differences():
    mean, margin = paired_interval([2.0, 3.0, 4.0], [1.0, 1.0, 1.0])
    assert mean == 2.0
    assert margin == pytest.approx(4.30 / 3**0.5)


def on_a_disk(folder):
    return (
        subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
        != "tmpfs"
    )


def test_bytes_of_a_process_and_of_its_children_are_counted_and_those_in_pipes_are_not(tmp_path):
    """4 MiB by a child, 8 by its own child, deleted again, and 16 through a pipe to no file."""
    if not on_a_disk(tmp_path):
        pytest.skip("the temporary folder is in memory")
    files = tmp_path / processes.OUTPUT
    files.mkdir()
    inner = "import time; open('b','wb').write(b'b' * (8 << 20)); time.sleep(1)"
    outer = (
        "import os, subprocess, sys, time; open('a','wb').write(b'a' * (4 << 20));"
        f"subprocess.run([sys.executable, '-c', {inner!r}], check=True); os.remove('b');"
        "[subprocess.run(['cat'], input=b'c' * (8 << 20), stdout=subprocess.DEVNULL) for _ in range(2)];"
        "time.sleep(1)"
    )
    process = subprocess.Popen([sys.executable, "-c", outer], cwd=files)
    with track_usage(process.pid, tmp_path) as usage:
        assert process.wait() == 0
    assert 12 * MIB <= usage.written < 13 * MIB
    assert 12 * MIB <= usage.peak_files < 13 * MIB
    assert disk_bytes(files) == 4 * MIB


def test_a_file_of_two_names_takes_its_bytes_once(tmp_path):
    (tmp_path / "a").write_bytes(b"a" * MIB)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert MIB <= disk_bytes(tmp_path) < MIB + 64 * 1024


def test_descendants_are_children_and_theirs():
    sleeper = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '5']).pid, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", sleeper], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    grandchild = int(process.stdout.readline())
    try:
        assert {process.pid, grandchild} <= set(descendants(os.getpid()))
        assert grandchild in descendants(process.pid)
    finally:
        os.kill(grandchild, 15)
        process.communicate()


def test_an_arm_runs_in_a_folder_of_its_own_which_is_gone_after_it():
    found = run_contestant("spans", {"tokens": 500, "repeat": 2, "seed": 1})
    assert len(found["ours"]) == len(found["peer"]) == 2
    assert found["equal"] == found["of"] == 10
    assert found["command_s"] > 0


def test_an_arm_that_fails_says_with_what():
    with pytest.raises(ContestantFailed, match=r"arm spans: ended without a result.*KeyError: 'tokens'"):
        run_contestant("spans", {})


@pytest.mark.slow
def test_figures_at_tiny_sizes(tmp_path):
    """The searches beside others take minutes at any size, and are left to make bench."""
    figures = "step,padding,encoding,spans,driver-100"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "speed",
        "--quick",
        "--repeat",
        "1",
        "--only",
        figures,
    ]
    done = subprocess.run(
        [*command, "--only", figures, "--out", str(tmp_path / "bench")],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    results = read_results(tmp_path / "bench.json")
    assert list(results["figures"]) == select_figures(figures.split(","))
    assert (tmp_path / "bench.md").read_text().strip() == done.stdout.strip()
    assert "driver-10000" in done.stdout.split("Not taken yet: ")[1]


class Canned(BenchmarkContext):
    """A setting whose arms have run already: ours takes 1 s for what takes a peer 4."""

    def fixture(self, share=1.0):
        return SimpleNamespace(folder=Path("m"), encoded=Path("m/encoded"))

    def fixture_for_epoch_time(self, epoch_s):
        return self.fixture(), epoch_s

    def contestant(self, name, spec, *, disk=False, ours=False):
        asked.append((name, dict(spec)))
        factor = 1.0 if name.startswith("our") else 4.0
        tokens = {"train": [95, 100 * int(factor)], "eval": [99, 100 * int(factor)]}
        trials = len(spec.get("configs", ())) or spec.get("study", {}).get("trials") or spec.get("trials")
        return {
            "trials": trials, "epochs": 12.0, "best_f1": 0.5, "search_s": factor, "command_s": factor,
            "span_s": 1.0, "work_s": 1.9, "before_s": 1.0, "gaps_s": [factor], "inside_s": [factor],
            "epochs_by_trial": {"0": 2.0}, "tokens": tokens, "model_bytes": MIB,
            "rss": [(1, (700 + min(number, 3)) * MIB) for number in range(trials or 0)],
            "usage": {"written": factor * MIB, "peak_files": 4 * factor * MIB, "peak_session": MIB,
                      "peak_shared_memory": 0},
            "ours": [1.0, 1.0], "bare": [0.99, 0.98], "unclipped": [0.9, 0.9], "steps": [[34, 34], [34, 34]],
            "peer": [9.5, 9.5], "peer_once": [9.5, 9.5], "same": 9, "encodings": 9, "equal": 14, "of": 14,
            "spans": 9, "differences": 0.0, "f1": 0.3, "results": 40, "result_ms": factor,
            "memory_growth": factor * MIB,
            "last_f1": 0.4 + spec.get("seed", 0) / 100,
            "seconds": factor,
        }  # fmt: skip


asked = []


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_made_of_what_its_arms_have_measured(name):
    asked.clear()
    context = Canned("demo", "conll", Path(), sizes=QUICK_SIZES)
    measured = {(row.what, row.against): row for row in FIGURES[name].measure(context, 2)}
    assert measured
    for row in measured.values():
        assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row
    if name.startswith("search"):
        against_peer, against_plain = [row for row in measured.values() if row.what.startswith("search")]
        assert against_peer.figure == Spread(0.25, 0.25, 0.25, 2)
        assert against_peer.met and against_plain.alike
        contestants = [contestant for contestant, _ in asked]
        assert contestants == ["our search", "hyperparameter_search", "plain loop"] * 2
        assert all(
            spec["epochs_by_trial"] == {"0": 2.0} for contestant, spec in asked if contestant == "plain loop"
        )
        peers = [spec["configs"] for contestant, spec in asked if contestant == "hyperparameter_search"]
        ours = [
            spec["study"]["space"]["points_to_evaluate"]
            for contestant, spec in asked
            if contestant == "our search"
        ]
        assert ours == peers and ours[0] != ours[1]
    if name == "disk-asha":
        [peak] = [row for row in measured.values() if row.unit == "models"]
        assert (peak.figure.median, peak.asked.value, peak.met) == (4.0, 5, True)
    if name == "memory":
        [row] = measured.values()
        assert (row.figure.median, row.met) == (3.0, True)
    if name == "quality":
        lost = next(iter(measured.values()))
        assert (lost.figure.median, lost.met, lost.ours.n) == (0.0, True, QUICK_SIZES.quality_seeds)
    if name == "share":
        assert [round(row.figure.median, 3) for row in measured.values()] == [0.95, 0.475]
