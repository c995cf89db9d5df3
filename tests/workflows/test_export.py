"""The end of a study: its results are exported only if seqeval confirms the scores of the best model."""

import pytest

from hpo.config.study import build_study
from hpo.errors import StudyFailed
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.run import run

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3}},
    "fixed": {"epochs": 1, "evals_per_epoch": 1},
}


def test_export_results_seqeval_mismatch_leaves_the_study_unfinished(
    empty_folder, monkeypatch, search_in_process, write_demo_corpus
):
    data = write_demo_corpus(empty_folder / "corpus", {"train": 40, "dev": 20, "test": 20})
    study = build_study({"name": "s", "data": str(data), "space": SPACE, "trials": 1, "algorithm": "random"})
    monkeypatch.setattr("hpo.search.ray.driver.run_search", search_in_process)
    with monkeypatch.context() as patch:
        patch.setattr("hpo.evaluation.seqeval_check.seqeval_f1", lambda *labels: 0.123)
        with pytest.raises(StudyFailed, match=r"0\.123"):
            run(study, quiet=True)
    folder = StudyFolder("s")
    assert not folder.matrix.exists() and not folder.report.exists()
    assert run(study, quiet=True).study == "s"
    assert folder.matrix.exists()
