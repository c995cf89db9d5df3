"""Replaying the hyperparameter schedule of population-based training."""

import json

import pytest
from rich.console import Console
from transformers import AutoModelForTokenClassification

from hpo.config.study import build_study
from hpo.corpora.demo import generate
from hpo.errors import UserError
from hpo.search.controller import TrialController
from hpo.search.trial import State, read_trials
from hpo.storage.atomic import write_text
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import dump_yaml, read_yaml
from hpo.workflows.replay import Segment, read_schedule, replay, train_schedule
from hpo.workflows.run import run

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3},
        "batch_size": {"type": "choice", "values": [8, 16]},
    },
    "fixed": {"epochs": 3, "evals_per_epoch": 2},
}


@pytest.fixture(scope="module")
def pbt_study(tmp_path_factory):
    project = tmp_path_factory.mktemp("project")
    patch = pytest.MonkeyPatch()
    patch.chdir(project)
    (project / "corpus").mkdir()
    for split, count in {"train": 160, "dev": 60, "test": 20}.items():
        lines = [
            json.dumps({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels})
            for each in generate(1).splits[split][:count]
        ]
        (project / "corpus" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"name": "p", "data": str(project / "corpus"), "space": SPACE, "trials": 3, "workers": 2}
    counts = []

    initialize = TrialController.__init__

    def count_files(controller):
        snapshots = [path for path in controller.folder.snapshots.glob("*") if path.name.isdigit()]
        running = sum(each.is_open for each in controller.trials)
        counts.append((len(snapshots), len(controller.folder.complete_checkpoints()), running))

    def initialize_and_listen(self, *args, **kwargs):
        initialize(self, *args, **kwargs)
        self.add_listener(lambda trial: count_files(self))

    patch.setattr(TrialController, "__init__", initialize_and_listen)
    row = run(build_study(options | {"algorithm": "pbt", "keep_checkpoints": 2}), Console(quiet=True))
    yield StudyFolder("p"), row, counts
    patch.undo()


@pytest.mark.slow
def test_pbt_study_copies_trials_and_trains_all_to_the_end(pbt_study):
    folder, row, _ = pbt_study
    trials = read_trials(read_lines(folder.trials))
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    copied = [change for trial in trials for change in trial.changes if change.donor is not None]
    assert sorted(change.epoch for change in copied) == [1.0, 2.0]
    for trial in trials:
        assert [each.epoch for each in trial.measurements] == [0.5, 1, 1.5, 2, 2.5, 3]
    assert row.f1("dev", "cased") == max(trial.best.f1 for trial in trials)
    assert sorted(path.name for path in folder.best.iterdir()) == ["1", "2"]
    assert not folder.snapshots.exists()


@pytest.mark.slow
def test_pbt_study_limits_snapshots_and_checkpoints(pbt_study):
    *_, counts = pbt_study
    assert max(snapshots for snapshots, *_ in counts) == 3
    assert all(snapshots <= 3 and models <= running + 3 for snapshots, models, running in counts)


@pytest.mark.slow
def test_replay_of_pbt_study_writes_a_scored_checkpoint(pbt_study):
    folder, *_ = pbt_study
    log = []
    model, scores = replay("p", log.append)
    assert model == folder.replay
    assert [line for line in log if line.startswith("epoch 3: dev F1 ")]
    assert len([line for line in log if line.startswith("epoch ")]) == 6
    assert len([line for line in log if line.startswith("from ")]) == len(read_schedule(folder))
    AutoModelForTokenClassification.from_pretrained(model)
    assert json.loads((model / "scores.json").read_text())["dev"]["cased"]
    assert set(scores) == {"dev", "test"}
    assert not folder.replay_state.exists()


def test_replay_without_schedule_raises(empty_folder):
    write_text(StudyFolder("none").study, build_study({"name": "none"}).to_yaml())
    with pytest.raises(UserError, match="study none: has no schedule to replay"):
        replay("none", print)


@pytest.mark.parametrize(
    "broken", [[], {"a": 1}, [{"from_epoch": 1, "params": {}}], [{"params": {}}], [{"from_epoch": 0, "x": 1}]]
)
def test_read_schedule_with_invalid_file_raises(tmp_path, broken):
    folder = StudyFolder("s", tmp_path)
    write_text(folder.schedule, dump_yaml(broken))
    assert read_yaml(folder.schedule).data == broken
    with pytest.raises(UserError, match=r"schedule\.yaml"):
        read_schedule(folder)


def test_train_schedule_with_two_segments_changes_hyperparameters_at_the_boundary(corpus, tmp_path):
    fixed = {"epochs": 2, "evals_per_epoch": 1, "batch_size": 30}
    study = build_study(
        {
            "name": "s",
            "space": {
                **SPACE,
                "parameters": {"learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3}},
                "fixed": fixed,
            },
        }
    )
    segments = (
        Segment(from_epoch=0, params={"learning_rate": 1e-3}),
        Segment(from_epoch=1, params={"learning_rate": 2e-3}),
    )
    log = []
    checkpoint = train_schedule(study, segments, corpus, 1, tmp_path, log.append)
    assert [line.split(":")[0] for line in log] == ["from epoch 0", "epoch 1", "from epoch 1", "epoch 2"]
    assert log[0].endswith("learning rate 0.001") and log[2].endswith("learning rate 0.002")
    AutoModelForTokenClassification.from_pretrained(checkpoint)
