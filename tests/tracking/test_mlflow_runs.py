"""The MLflow tracker, checked against a real store."""

import pytest

from hpo.search.trial import State
from hpo.tracking.dispatcher import start_trackers

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for all tests, because creating its tables takes seconds; each study has its own id in it."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def track(study, folder, trials, uri, row=None):
    warnings = []
    with start_trackers(study(f"mlflow:{uri}"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
        if row:
            dispatcher.on_scores(row)
    assert warnings == []


def runs_of(uri, folder):
    from hpo.storage.atomic import read_json

    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("hpo-ner")
    found = client.search_runs(
        [experiment.experiment_id], f"tags.`hpo.id` = '{read_json(folder.tracking)['id']}'"
    )
    runs = {run.data.tags["hpo.trial"]: run for run in found}
    assert len(runs) == len(found)
    return client, runs


def history(client, run, metric):
    return [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, metric)]


def test_mlflow_runs_study_with_three_trials_nests_a_run_per_trial(study, folder, trials, store):
    from hpo.evaluation.matrix import MatrixRow

    row = MatrixRow(tag_family="F", trained_on="cased", algorithm="A", scores={"test": {"cased": 0.5}})
    track(study, folder, trials, store, row)
    client, runs = runs_of(store, folder)
    assert sorted(runs) == ["0", "1", "2", "study"]
    parent = runs.pop("study")
    assert (parent.info.run_name, parent.info.status) == ("tracked", "FINISHED")
    assert parent.data.metrics == {"best/dev_f1": 0.75, "test/cased": 0.5}
    assert parent.data.params["algorithm"] == "asha"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert runs["0"].data.params == {"learning_rate": "0.0001", "lr_schedule": "linear", "seed": "11"}
    assert history(client, runs["0"], "dev/f1") == [(10, 0.25), (20, 0.5), (30, 0.375)]
    assert runs["0"].data.metrics["best/dev_f1"] == 0.5
    assert history(client, runs["2"], "hyperparameter/learning_rate") == [(10, 4e-4), (20, 8e-4)]
    ends = {number: (run.info.status, run.data.tags.get("hpo.state")) for number, run in runs.items()}
    assert ends == {"0": ("FINISHED", "stopped"), "1": ("FAILED", "failed"), "2": ("KILLED", None)}
    assert runs["1"].data.tags["hpo.reason"] == "out of memory"


def test_mlflow_runs_resumed_study_continues_the_same_runs(study, folder, trials, store, measure):
    track(study, folder, trials, store)
    _, before = runs_of(store, folder)
    trials[2].measurements.append(measure(3, 0.875))
    trials[2].state = State.COMPLETE
    track(study, folder, trials, store)
    client, runs = runs_of(store, folder)
    assert {number: run.info.run_id for number, run in runs.items()} == {
        number: run.info.run_id for number, run in before.items()
    }
    assert history(client, runs["0"], "dev/f1") == [(10, 0.25), (20, 0.5), (30, 0.375)]
    assert history(client, runs["2"], "dev/f1") == [(10, 0.125), (20, 0.75), (30, 0.875)]
    assert runs["2"].info.status == runs["study"].info.status == "FINISHED"


def test_mlflow_runs_other_study_of_the_same_name_creates_separate_runs(study, folder, trials, store):
    track(study, folder, trials[:1], store)
    _, first = runs_of(store, folder)
    folder.tracking.unlink()
    track(study, folder, trials[:1], store)
    _, second = runs_of(store, folder)
    assert {run.info.run_id for run in first.values()}.isdisjoint(run.info.run_id for run in second.values())


def test_mlflow_runs_unreachable_store_disables_only_the_tracker(study, folder, trials):
    warnings = []
    with start_trackers(study("mlflow:nonsense://x"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
    assert len(warnings) == 1
    assert warnings[0].startswith("tracker mlflow failed and is disabled; the search continues: ")
    assert "\n" not in warnings[0]
