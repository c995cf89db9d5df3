"""Tests of the figures, with contestants whose measurements are given."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import benchmarks
from benchmarks.speed.component_figures import paired_interval
from benchmarks.speed.contestants import CONTESTANTS
from benchmarks.speed.figures import FIGURES, select_figures
from benchmarks.speed.rows import Row, Spread
from benchmarks.speed.search_figures import configurations, study_options
from benchmarks.speed.settings import QUICK_SIZES, BenchmarkContext
from hpo.config.study import build_study
from hpo.errors import UserError

MIB = 2**20


def test_select_figures_matches_names_and_prefixes():
    assert select_figures(["spans", " step "]) == ["step", "spans"]
    assert select_figures(["search-8"]) == ["search-8-short", "search-8-long"]
    assert select_figures(["driver"]) == ["driver-100", "driver-1000", "driver-10000"]
    assert select_figures([""]) == list(FIGURES)
    with pytest.raises(UserError, match=r"unknown figure \(got 'sp'"):
        select_figures(["sp"])


def test_contestants_name_existing_functions():
    root = Path(benchmarks.__file__).parents[1]
    for location in CONTESTANTS.values():
        module, function = location.split(":")
        assert f"def {function}(spec" in (root / f"{module.replace('.', '/')}.py").read_text()


def test_study_options_evaluate_the_configurations_in_order():
    configs = configurations(5, seed=3)
    assert configs == configurations(5, seed=3) != configurations(5, seed=4)
    context = BenchmarkContext("demo", "conll", Path(), sizes=QUICK_SIZES)
    study = build_study(study_options(context, configs, "asha", 3) | {"name": "s"})
    assert list(study.space.points_to_evaluate) == configs
    assert study.trials == 5


def test_paired_interval_uses_students_t():
    mean, margin = paired_interval([2.0, 3.0, 4.0], [1.0, 1.0, 1.0])
    assert mean == 2.0
    assert margin == pytest.approx(4.30 / 3**0.5)


class FakeContext(BenchmarkContext):
    """A context with given measurements: ours takes 1 s for what takes a peer 4 s."""

    def fixture(self, fraction=1.0):
        return SimpleNamespace(folder=Path("m"), encoded=Path("m/encoded"))

    def fixture_for_epoch_time(self, epoch_s):
        return self.fixture(), epoch_s

    def run(self, name, spec, *, disk=False, ours=False):
        calls.append((name, dict(spec)))
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
            "spans": 9, "difference": 0.0, "f1": 0.3, "results": 40, "result_ms": factor,
            "memory_growth": factor * MIB, "last_f1": 0.4 + spec.get("seed", 0) / 100, "seconds": factor,
        }  # fmt: skip


calls = []


@pytest.fixture
def measured(request):
    """Measure a figure, and return its rows by title and baseline."""
    calls.clear()
    context = FakeContext("demo", "conll", Path(), sizes=QUICK_SIZES)
    rows = FIGURES[request.param].measure(context, 2)
    return {(row.label.title, row.label.baseline): row for row in rows}


def measuring(*names):
    return pytest.mark.parametrize("measured", names, indirect=True)


@measuring(*FIGURES)
def test_figure_rows_are_stored_without_loss(measured):
    assert measured
    for row in measured.values():
        assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row


@measuring(*(name for name in FIGURES if name.startswith("search")))
def test_search_figure_gives_all_contestants_the_same_configurations(measured):
    against_peer, against_plain = [row for row in measured.values() if row.label.title.startswith("search")]
    assert against_peer.figure == Spread(0.25, 0.25, 0.25, 2)
    assert against_peer.met and against_plain.work.same
    assert [name for name, _ in calls] == ["our search", "hyperparameter_search", "plain loop"] * 2
    assert all(spec["epochs_by_trial"] == {"0": 2.0} for name, spec in calls if name == "plain loop")
    peers = [spec["configs"] for name, spec in calls if name == "hyperparameter_search"]
    ours = [spec["study"]["space"]["points_to_evaluate"] for name, spec in calls if name == "our search"]
    assert ours == peers and ours[0] != ours[1]


@measuring("disk-asha")
def test_disk_figure_counts_models(measured):
    [peak] = [row for row in measured.values() if row.label.unit == "models"]
    assert (peak.figure.median, peak.target.value, peak.met) == (4.0, 5, True)


@measuring("memory")
def test_memory_figure_is_the_growth_from_the_first_to_the_last_trial(measured):
    [row] = measured.values()
    assert (row.figure.median, row.met) == (3.0, True)


@measuring("quality")
def test_quality_figure_is_the_mean_decrease_over_seeds(measured):
    decrease = next(iter(measured.values()))
    assert (decrease.figure.median, decrease.met, decrease.ours.n) == (0.0, True, QUICK_SIZES.quality_seeds)


@measuring("share")
def test_share_figure_is_relative_to_trials_and_to_the_command(measured):
    assert [round(row.figure.median, 3) for row in measured.values()] == [0.95, 0.475]
