"""Tests of summaries, descriptions and matrix rows of the studies under results/."""

import json
import os

import pytest

from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.evaluation.matrix import Matrix, MatrixRow
from hpo.reporting.study_list import (
    collect_rows,
    describe_study,
    render_study,
    render_study_table,
    summarize_studies,
)
from hpo.search.trial import State, Trial
from hpo.storage.atomic import write_json, write_lines, write_text
from hpo.storage.study_folder import StudyFolder

PARAMS = build_study({}).space.defaults


@pytest.fixture
def put(empty_folder, measure):
    """Write a study to results/, finished if it has a test F1; each is newer than the previous one."""
    ages = iter(range(1000, 2000))

    def make(name, f1=None, **fields):
        study, folder = build_study({"name": name, "trials": 4}), StudyFolder(name)
        write_text(folder.study, study.to_yaml())
        age = next(ages)
        os.utime(folder.study, (age, age))
        trials = [
            Trial(0, PARAMS, 0, State.COMPLETE, [measure(2, 0.5)]),
            Trial(1, PARAMS, 0, State.FAILED, [measure(1, 0.9)], "it broke"),
            Trial(2, PARAMS, 0),
        ]
        write_lines(folder.trials, [trial.to_json() for trial in trials])
        if f1 is not None:
            row = {
                "tag_family": "Original",
                "trained_on": "cased",
                "algorithm": "ASHA",
                "corpus_sha256": "a",
            } | fields
            row |= {"study": name, "scores": {"test": {"cased": f1}}}
            write_json(folder.matrix, Matrix(rows=(MatrixRow(**row),)).model_dump(mode="json"))
            write_text(folder.report, f"# {name}\n")

    return make


def test_summarize_studies_counts_ended_trials_and_ignores_failed_ones_as_best(put):
    put("open")
    (summary,) = summarize_studies()
    assert (summary["state"], summary["ended"], summary["trials"], summary["epochs"]) == ("open", 2, 4, 3.0)
    assert (summary["best_dev_f1"], summary["test_f1"]) == (0.5, None)
    assert summary["trials_by_state"] == {"complete": 1, "failed": 1, "running": 1}
    assert summary["started"] == "1970-01-01T00:16:40+00:00"


def test_summarize_studies_sorts_oldest_first(put):
    put("b", 0.7)
    put("a")
    assert [(each["study"], each["state"], each["test_f1"]) for each in summarize_studies()] == [
        ("b", "done", 0.7),
        ("a", "open", None),
    ]
    lines = render_study_table(summarize_studies()).splitlines()
    assert len(lines) == 4
    assert "| 2/4 " in lines[2]
    assert "| 0.70000 " in lines[2]


def test_render_study_table_without_studies_says_how_to_create_one(empty_folder):
    assert "hpo run" in render_study_table(summarize_studies())


def test_describe_study_is_complete_and_json_compatible(put):
    put("s", 0.7)
    described = json.loads(json.dumps(describe_study("s")))
    assert described["settings"]["trials"] == 4
    assert described["row"]["scores"]["test"]["cased"] == 0.7
    assert [trial["state"] for trial in described["trials"]] == ["complete", "failed", "running"]


def test_render_study_shows_the_report_or_an_interim_report(put):
    put("finished", 0.7)
    put("open")
    assert render_study("finished") == "# finished\n"
    write_text(StudyFolder("finished").report, "![F1 by trial](figures/f1.png)\n")
    assert render_study("finished") == "F1 by trial: results/finished/figures/f1.png\n"
    text = render_study("open")
    assert "it broke" in text
    assert text.endswith("not finished; continue with: hpo resume open")


def test_collect_rows_keeps_the_newest_of_equal_studies_unless_named(put):
    put("first", 0.6)
    put("other-corpus", 0.65, corpus_sha256="b")
    put("second", 0.7)
    put("open")
    assert {row.study for row in collect_rows([])} == {"second", "other-corpus"}
    assert [row.study for row in collect_rows(["second", "first"])] == ["second", "first"]


def test_collect_rows_of_unfinished_and_missing_studies_reports_all(put):
    put("open")
    put("done", 0.5)
    with pytest.raises(UserError) as caught:
        collect_rows(["open", "done", "none"])
    assert [str(issue) for issue in caught.value.issues] == [
        "study open: is not finished",
        "study none: no study of this name under results/",
    ]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("matrix.json", '{"rows": []}', "matrix.json"),
        ("matrix.json", "{", "matrix.json:1: is not valid JSON"),
        ("trials.jsonl", '{"a":1}\n', "trials.jsonl:1: is not a trial record"),
        ("trials.jsonl", '{"trial":0,"seed":1,"params":{}}\n{"a"\n', "trials.jsonl:2: is not valid JSON"),
        ("trials.jsonl", "5\n", "trials.jsonl:1: is not a trial record"),
    ],
)
def test_summarize_studies_with_an_invalid_file_reports_it_and_lists_the_others(put, file, text, message):
    put("broken", 0.6, corpus_sha256="b")
    put("whole", 0.7)
    write_text(StudyFolder("broken").path / file, text)
    broken, whole = summarize_studies()
    assert (broken["state"], whole["state"]) == ("invalid", "done")
    assert message in broken["issues"][0]
    assert "whole" in [row.study for row in collect_rows([])]
    with pytest.raises(UserError, match=message):
        describe_study("broken")
    if file == "matrix.json":
        assert [row.study for row in collect_rows([])] == ["whole"]
        with pytest.raises(UserError, match=message):
            collect_rows(["broken"])


def test_render_study_without_its_report_shows_the_trials(put):
    put("s", 0.7)
    StudyFolder("s").report.unlink()
    assert "it broke" in render_study("s")
    assert render_study("s").endswith("report.md is missing")
