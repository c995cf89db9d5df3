"""Reranking: real trainings in this process, without Ray."""

import json
import shutil

import pytest
from rich.console import Console

from hpo.config.study import build_study
from hpo.errors import StudyInterrupted, UserError
from hpo.evaluation.matrix import read_matrix
from hpo.reporting.study_list import describe_study, render_study, summarize_studies
from hpo.reporting.study_record import read_record
from hpo.search.top_k import best_per_value
from hpo.search.trial import State, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.rerank import plan_rerank, rerank
from hpo.workflows.run import run

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3},
        "batch_size": {"type": "choice", "values": [8, 16]},
    },
    "fixed": {"epochs": 1, "evals_per_epoch": 1},
}


class Killed(BaseException):
    """Not an Exception, so that no handler catches it."""


@pytest.fixture(scope="module")
def done(tmp_path_factory, search_in_process, write_demo_corpus):
    """A finished study of three trials, of which one model is kept, in its own working directory."""
    place = tmp_path_factory.mktemp("project")
    patch = pytest.MonkeyPatch()
    patch.chdir(place)
    patch.setattr("hpo.search.ray.driver.run_search", search_in_process)
    write_demo_corpus(place / "corpus", {"train": 60, "dev": 30, "test": 30})
    settings = {"data": "corpus", "space": SPACE, "trials": 3, "keep_checkpoints": 1, "workers": 1}
    study = build_study(settings | {"name": "small", "algorithm": "random"})
    run(study, Console(quiet=True))
    yield study, StudyFolder("small")
    patch.undo()


def test_run_default_trial_is_scored_and_its_model_kept(done):
    study, folder = done
    record = read_record(folder)
    best = max(record.trials, key=lambda trial: trial.best.sort_key)
    assert record.trials[0].params == study.space.defaults
    of_sizes = {trial.number for trial in best_per_value(study.space, record.trials).values()}
    assert set(record.scores) == {0, best.number} | of_sizes
    assert (folder.default / "model.safetensors").exists() == (best.number != 0)
    for number, trial in ((0, record.trials[0]), (best.number, best)):
        assert record.scores[number]["dev"]["cased"].f1 == trial.best.f1
    summary = summarize_studies()[0]
    assert summary["default_dev_f1"] == record.trials[0].best.f1
    assert summary["default_test_f1"] == record.scores[0]["test"]["cased"].f1
    report = render_study("small")
    for heading in ("Default vs best", "Scores by batch size", "Scores of the best model on test by class"):
        assert f"## {heading}" in report
    assert "Learning curves: results/small/figures/learning-curves.png" in report
    markdown = StudyFolder("small").report.read_text(encoding="utf-8")
    assert "![Learning curves](figures/learning-curves.png)" in markdown
    assert (folder.figures / "confusion-entities-test.svg").exists()


def test_run_confusion_of_best_model_agrees_with_scores(done):
    _, folder = done
    record = read_record(folder)
    for split in ("dev", "test"):
        scores = record.row.scores[split]["cased"]
        entities = record.confusions[split].entities
        assert sum(entities[k][k] for k in range(len(entities))) == scores.correct
        assert sum(map(sum, entities[:-1])) == scores.gold
        best = max(record.trials, key=lambda trial: trial.best.sort_key)
    assert record.confusions["dev"].accuracy == pytest.approx(best.best.accuracy)


def test_rerank_killed_resumes_and_scores_every_run(done, monkeypatch, search_in_process):
    study, folder = done
    runs = 0

    def killed_in_the_third(controller, run_trial, resources):
        def counted(trial, report):
            nonlocal runs
            runs += 1
            if runs == 3:
                raise Killed
            run_trial(trial, report)

        search_in_process(controller, counted, resources)

    monkeypatch.setattr("hpo.search.ray.driver.run_search", killed_in_the_third)
    with pytest.raises(Killed):
        rerank("small", 1, 2, Console(quiet=True))
    assert not folder.rerank_results.exists()
    found = rerank("small", 1, 2, Console(quiet=True))
    configurations = {json.dumps(each.params) for each in found}
    assert runs == 2 * len(found) + 1, "only the run that was cut off was made again"
    record = read_record(folder)
    best = max(record.trials, key=lambda trial: trial.best.sort_key)
    assert configurations == {json.dumps(study.space.defaults), json.dumps(best.params)}
    assert [each.dev.mean for each in found] == sorted((e.dev.mean for e in found), reverse=True)
    assert all(each.seeds == (42, 43) for each in found)
    assert all(None not in each.test.scores for each in found)
    written = json.loads(folder.rerank_results.read_text())
    assert (written["top"], written["seeds"]) == (1, 2)
    assert written["configurations"] == [each.to_json() for each in found]
    assert "## Best configurations retrained with new seeds" in render_study("small")
    assert describe_study("small")["reranked"] == written["configurations"]
    inner = folder.rerank_study
    assert {trial.state for trial in read_trials(read_lines(inner.trials))} == {State.COMPLETE}
    assert read_matrix(inner.matrix).rows[0].study == "rerank"
    assert (inner.best / "1" / "model.safetensors").exists()
    assert [each["study"] for each in summarize_studies()] == ["small"], "it is no study of its own"
    with pytest.raises(UserError, match=r"already reranked with 2 configurations and 2 seeds.*remove"):
        rerank("small", 1, 3, Console(quiet=True))


def test_rerank_interrupted_reports_how_to_resume(done, monkeypatch):
    shutil.rmtree(StudyFolder("small").rerank_study.path, ignore_errors=True)
    monkeypatch.setattr("hpo.search.ray.driver.run_search", lambda controller, run_trial, resources: None)
    with pytest.raises(StudyInterrupted, match="resume with: hpo rerank small --top 1 --seeds 2"):
        rerank("small", 1, 2, Console(quiet=True))
    shutil.rmtree(StudyFolder("small").rerank_study.path)


def test_plan_rerank_unsuitable_study_is_rejected_with_alternative(done):
    study, folder = done
    record = read_record(folder)
    for changes, told in (
        ({"algorithm": "pbt"}, "hpo replay small"),
        ({"algorithm": "grid", "seeds": 3}, r"already trained with several seeds \(got 3"),
    ):
        other = type(record)(study.model_copy(update=changes), record.trials, None, {}, {}, None)
        with pytest.raises(UserError, match=told):
            plan_rerank(other, 5, 5)
    with pytest.raises(UserError, match="study none: no study of this name under results"):
        rerank("none", 5, 5, Console(quiet=True))


def test_plan_rerank_default_among_best_is_planned_once(done):
    _study, folder = done
    planned = plan_rerank(read_record(folder), 3, 4)
    assert (planned.trials, planned.runs, planned.algorithm, planned.name) == (3, 12, "grid", "rerank")
