"""Studies as they lie under results/: done, open, and which of them count for the matrix."""

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

COLUMNS = build_study({}).space.defaults


@pytest.fixture
def put(empty_folder, measure):
    """Puts a study under results/: open, or done where it has a test F1; each newer than the one before."""
    ages = iter(range(1000, 2000))

    def make(name, f1=None, **fields):
        study, folder = build_study({"name": name, "trials": 4}), StudyFolder(name)
        write_text(folder.study, study.to_yaml())
        age = next(ages)
        os.utime(folder.study, (age, age))
        trials = [
            Trial(0, COLUMNS, 0, State.COMPLETE, [measure(2, 0.5)]),
            Trial(1, COLUMNS, 0, State.FAILED, [measure(1, 0.9)], "it broke"),
            Trial(2, COLUMNS, 0),
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


def test_a_summary_counts_ends_and_never_takes_a_failed_trial_for_the_best(put):
    put("open")
    (summary,) = summarize_studies()
    assert (summary["state"], summary["ended"], summary["trials"], summary["epochs"]) == ("open", 2, 4, 3.0)
    assert (summary["best_dev_f1"], summary["test_f1"]) == (0.5, None)
    assert summary["trials_by_state"] == {"complete": 1, "failed": 1, "running": 1}
    assert summary["started"] == "1970-01-01T00:16:40+00:00"


def test_studies_are_listed_oldest_first_whether_open_or_done(put):
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


def test_no_studies_are_told_with_what_to_do(empty_folder):
    assert "hpo run" in render_study_table(summarize_studies())


def test_a_description_is_whole_and_plain_data(put):
    put("s", 0.7)
    described = json.loads(json.dumps(describe_study("s")))
    assert described["settings"]["trials"] == 4
    assert described["row"]["scores"]["test"]["cased"] == 0.7
    assert [trial["state"] for trial in described["trials"]] == ["complete", "failed", "running"]


def test_a_study_that_is_done_shows_its_report_and_an_open_one_its_trials(put):
    put("finished", 0.7)
    put("open")
    assert render_study("finished") == "# finished\n"
    text = render_study("open")
    assert "it broke" in text
    assert text.endswith("not done yet; go on with: hpo resume open")


def test_the_newest_of_like_studies_counts_unless_they_are_named(put):
    put("first", 0.6)
    put("other-corpus", 0.65, corpus_sha256="b")
    put("second", 0.7)
    put("open")
    assert {row.study for row in collect_rows([])} == {"second", "other-corpus"}
    assert [row.study for row in collect_rows(["second", "first"])] == ["second", "first"]


def test_every_study_that_has_no_row_is_told(put):
    put("open")
    put("done", 0.5)
    with pytest.raises(UserError) as caught:
        collect_rows(["open", "done", "none"])
    assert [str(issue) for issue in caught.value.issues] == [
        "study open: is not done",
        "study none: is not under results/",
    ]


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("matrix.json", '{"rows": []}', "matrix.json"),
        ("matrix.json", "{", "matrix.json:1: is not valid JSON"),
        ("trials.jsonl", '{"a":1}\n', "trials.jsonl:1: is no line of a trial"),
        ("trials.jsonl", '{"trial":0,"seed":1,"params":{}}\n{"a"\n', "trials.jsonl:2: is not valid JSON"),
        ("trials.jsonl", "5\n", "trials.jsonl:1: is no line of a trial"),
    ],
)
def test_a_study_with_a_broken_file_is_faulty_and_leaves_the_others_alone(put, file, text, told):
    put("broken", 0.6, corpus_sha256="b")
    put("whole", 0.7)
    write_text(StudyFolder("broken").path / file, text)
    broken, whole = summarize_studies()
    assert (broken["state"], whole["state"]) == ("faulty", "done")
    assert told in broken["issues"][0]
    assert "whole" in [row.study for row in collect_rows([])]
    with pytest.raises(UserError, match=told):
        describe_study("broken")
    if file == "matrix.json":
        assert [row.study for row in collect_rows([])] == ["whole"]
        with pytest.raises(UserError, match=told):
            collect_rows(["broken"])


def test_a_study_whose_report_is_gone_shows_its_trials(put):
    put("s", 0.7)
    StudyFolder("s").report.unlink()
    assert "it broke" in render_study("s")
    assert render_study("s").endswith("its report.md is gone")
