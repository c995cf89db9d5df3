"""A population's schedule, found by a real search and trained once more."""

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
from hpo.workflows.replay import read_schedule, replay
from hpo.workflows.run import run

SPACE = {
    "parameters": {
        "learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3},
        "batch_size": {"type": "choice", "values": [8, 16]},
    },
    "fixed": {"epochs": 3, "evals_per_epoch": 2},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    place = tmp_path_factory.mktemp("project")
    patch = pytest.MonkeyPatch()
    patch.chdir(place)
    (place / "corpus").mkdir()
    for split, count in {"train": 160, "dev": 60, "test": 20}.items():
        lines = [
            json.dumps({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels})
            for each in generate(1).splits[split][:count]
        ]
        (place / "corpus" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"name": "p", "data": str(place / "corpus"), "space": SPACE, "trials": 3, "workers": 2}
    counts = []

    def tell(self, trial):
        whole = [path for path in self.folder.snapshots.glob("*") if path.name.isdigit()]
        living = sum(each.is_open for each in self.trials)
        counts.append((len(whole), len(self.folder.complete_checkpoints()), living))

    patch.setattr(TrialController, "_tell", tell)
    row = run(build_study(options | {"algorithm": "pbt", "keep_checkpoints": 2}), Console(quiet=True))
    yield StudyFolder("p"), row, counts
    patch.undo()


def test_the_population_trains_to_the_end_and_copies_on_the_way(done):
    folder, row, _ = done
    trials = read_trials(read_lines(folder.trials))
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    copied = [change for trial in trials for change in trial.changes if change.donor is not None]
    assert sorted(change.epoch for change in copied) == [1.0, 2.0]
    for trial in trials:
        assert [each.epoch for each in trial.measurements] == [0.5, 1, 1.5, 2, 2.5, 3]
    assert row.f1("dev", "cased") == max(trial.best.f1 for trial in trials)
    assert sorted(path.name for path in folder.best.iterdir()) == ["1", "2"]
    assert not folder.snapshots.exists()


def test_no_more_snapshots_than_members_and_no_more_models_than_members_the_best_and_the_defaults(done):
    *_, counts = done
    assert max(snapshots for snapshots, *_ in counts) == 3
    assert all(snapshots <= 3 and models <= living + 3 for snapshots, models, living in counts)


def test_the_schedule_is_trained_again_and_leaves_a_model(done):
    folder, *_ = done
    told = []
    model, scores = replay("p", told.append)
    assert model == folder.replay
    assert [line for line in told if line.startswith("epoch 3: dev F1 ")]
    assert len([line for line in told if line.startswith("epoch ")]) == 6
    assert len([line for line in told if line.startswith("from ")]) == len(read_schedule(folder))
    AutoModelForTokenClassification.from_pretrained(model)
    assert json.loads((model / "scores.json").read_text())["dev"]["cased"]
    assert set(scores) == {"dev", "test"}
    assert not folder.replay_state.exists()


def test_a_study_without_a_schedule_is_refused(done):
    write_text(StudyFolder("none").study, build_study({"name": "none"}).to_yaml())
    with pytest.raises(UserError, match="study none: has no schedule to replay"):
        replay("none", print)


@pytest.mark.parametrize(
    "broken", [[], {"a": 1}, [{"from_epoch": 1, "params": {}}], [{"params": {}}], [{"from_epoch": 0, "x": 1}]]
)
def test_a_schedule_with_faults_is_refused(tmp_path, broken):
    folder = StudyFolder("s", tmp_path)
    write_text(folder.schedule, dump_yaml(broken))
    assert read_yaml(folder.schedule).data == broken
    with pytest.raises(UserError, match=r"schedule\.yaml"):
        read_schedule(folder)
