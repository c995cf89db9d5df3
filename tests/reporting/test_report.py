"""Tests of the report of a study and of the scores of a checkpoint."""

from dataclasses import replace

from hpo.config.study import build_study
from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.evaluation.matrix import MatrixRow
from hpo.evaluation.seqeval_check import SeqevalCheck
from hpo.reporting.report import render_matrices, render_report, render_scores, render_trials
from hpo.reporting.study_record import StudyRecord
from hpo.search.trial import State, Trial


def row(**fields):
    return MatrixRow(
        **{"tag_family": "Original", "trained_on": "cased", "algorithm": "ASHA", "corpus": "a"} | fields
    )


def test_render_trials_sorts_the_best_first_and_unscored_trials_last(measure, read_cells):
    trials = [
        Trial(0, {"x": 1e-5}, 0, State.FAILED, reason="it | broke\nhere"),
        Trial(1, {"x": 0.123456}, 0, State.STOPPED, [measure(1, 0.2)]),
        Trial(2, {"x": 3}, 0, State.COMPLETE, [measure(1, 0.9), measure(2.5, 0.8)]),
    ]
    assert [line.split("|")[1].strip() for line in render_trials(trials).splitlines()[2:]] == ["2", "1", "0"]
    assert read_cells(render_trials(trials))[1] == ["2", "complete", "0.90000", "1", "2.5", "3", "-"]
    assert "0.1235" in render_trials(trials)
    assert r"it \| broke here" in render_trials(trials), "a reason stays in its cell"


def test_render_trials_without_trials_is_an_empty_table():
    assert len(render_trials([]).splitlines()) == 2


def test_render_matrices_of_several_corpora_has_three_tables_for_each():
    assert "##" not in render_matrices([row(), row(trained_on="uncased")])
    text = render_matrices([row(), row(corpus="b")])
    assert [line for line in text.splitlines() if line.startswith("##")] == ["## a", "## b"]
    assert text.count("Micro F1 on dev") == text.count("Micro F1 on test") == text.count("Winning") == 2


def test_render_report_counts_trials_by_state_and_lists_corpus_notes(measure):
    study = build_study({"name": "mine", "seed": 7})
    hyperparameters = study.space.defaults
    trials = [
        Trial(0, hyperparameters, 0, State.COMPLETE, [measure(9, 0.5)]),
        Trial(1, hyperparameters, 0, State.STOPPED, [measure(1, 0.2)]),
        Trial(2, hyperparameters, 0, State.STOPPED, [measure(1, 0.1)]),
    ]
    record = StudyRecord(study, trials, row(), {}, {}, {"notes": ["dev was cut off from train"]})
    text = render_report(record)
    assert text.startswith("# mine\n")
    assert "3 trials (1 complete, 2 stopped), 11.0 epochs, at most 9 epochs per trial" in text
    assert "seed 7" in text
    assert "- dev was cut off from train" in text
    assert "Notes on the corpus" not in render_report(replace(record, environment={}))


def test_render_report_with_a_seqeval_check_states_it_and_without_one_does_not():
    record = StudyRecord(build_study({"name": "mine"}), [], row(), {}, {}, {})
    check = SeqevalCheck(version="1.2.2", variant="cased", f1={"dev": 0.5, "test": 0.4})
    sentence = "Micro F1 on dev and test (cased) confirmed with seqeval 1.2.2."
    assert sentence in render_report(replace(record, seqeval=check))
    assert "seqeval" not in render_report(record)


def test_render_scores_names_the_scheme_and_the_mode(read_cells):
    scores = Scores(
        precision=0.5, recall=0.25, f1=1 / 3, correct=250, predicted=500, gold=1000,
        macro_precision=0.5, macro_recall=0.25, macro_f1=1 / 3, by_type={},
    )  # fmt: skip
    text = render_scores({"dev": {"cased": scores}, "test": {"cased": scores, "uncased": scores}})
    assert [line for line in text.splitlines() if line.endswith(":")] == [
        f"{split}, micro, {SCHEME}, seqeval's {MODE} mode:" for split in ("dev", "test")
    ]
    assert read_cells(text)[1] == ["cased", "0.50000", "0.25000", "0.33333", "1,000"]
