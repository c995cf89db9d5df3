"""Runs of small studies from the corpus to the row of the matrix, with the real Ray and the real Trainer."""

import json
import shutil
from importlib.metadata import version

import pytest
from rich.console import Console

from hpo.config.study import build_study, stored_study
from hpo.corpora.variants import VARIANTS
from hpo.errors import StudyFailed, UserError
from hpo.evaluation.checkpoint_scores import evaluate_checkpoint
from hpo.evaluation.matrix import read_matrix
from hpo.reporting.group_by import group_trials
from hpo.reporting.study_record import read_record
from hpo.search.trial import State, rank_trials, read_trials
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.grid import GridRows, plan_rows
from hpo.workflows.prepare import demanding_value, read_corpus
from hpo.workflows.resolve import with_free_name
from hpo.workflows.run import run

SPACE = {
    "parameters": {"learning_rate": {"type": "loguniform", "low": 3e-4, "high": 3e-3}},
    "fixed": {"epochs": 4, "batch_size": 16, "evals_per_epoch": 2},
}
CHOICE = {"attention_dropout": {"type": "choice", "values": [0.0, 0.1]}}


def settings(data, **more):
    return {
        "name": "small",
        "data": str(data),
        "space": SPACE,
        "trials": 4,
        "keep_checkpoints": 2,
        "workers": 2,
        **more,
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory, write_demo_corpus):
    """A finished study, in its own working directory."""
    place = tmp_path_factory.mktemp("project")
    patch = pytest.MonkeyPatch()
    patch.chdir(place)
    data = write_demo_corpus(place / "corpus", {"train": 400, "dev": 80, "test": 80})
    study = build_study(settings(data))
    with (place / "console").open("w") as console:
        row = run(study, Console(file=console))
    yield study, row, StudyFolder("small"), place
    patch.undo()


def test_run_too_many_gpus_per_trial_is_rejected_before_writing(empty_folder, monkeypatch):
    monkeypatch.setattr("hpo.workflows.prepare.gpu_names", lambda: ["one", "two"])
    study = build_study({"name": "s", "gpus_per_trial": 4})
    with pytest.raises(
        UserError, match=r"^gpus_per_trial: exceeds the GPUs of one machine.*this machine has 2"
    ):
        run(study, quiet=True)
    assert not list(empty_folder.iterdir())


@pytest.mark.slow
def test_run_choice_scores_best_model_of_each_value_on_test(done):
    *_, place = done
    space = SPACE | {"parameters": SPACE["parameters"] | CHOICE}
    run(build_study(settings(place / "corpus", name="choice", space=space, keep_checkpoints=1)), quiet=True)
    groups = group_trials(read_record(StudyFolder("choice")), "attention_dropout")
    assert [group.value for group in groups] == ["0", "0.1"]
    assert all(group.test is not None for group in groups)


@pytest.mark.slow
def test_run_row_has_every_cell_of_dev_and_test(done):
    _, row, folder, _ = done
    for split in ("dev", "test"):
        assert list(row.scores[split]) == list(VARIANTS)
        assert all(0 <= row.f1(split, variant) <= 1 for variant in VARIANTS)
    assert read_matrix(folder.matrix).rows == (row,)


@pytest.mark.slow
def test_run_row_is_best_epoch_of_best_trial(done):
    _study, row, folder, _ = done
    trials = read_trials(read_lines(folder.trials))
    assert len(trials) == 4
    best = max(each.f1 for trial in trials for each in trial.measurements)
    assert rank_trials(trials, include_failed=True)[0].best.f1 == best
    assert row.f1("dev", "cased") == best
    winner = rank_trials(trials, include_failed=True)[0]
    assert row.hyperparameters["learning_rate"] == winner.params["learning_rate"]


@pytest.mark.slow
def test_run_finished_study_keeps_best_models_and_no_ray_state(done):
    _, _, folder, _ = done
    kept = {path.name for path in folder.path.iterdir()}
    assert kept - {"default"} == {
        ".lock",
        "study.yaml",
        "environment.json",
        "trials.jsonl",
        "matrix.json",
        "report.md",
        "figures",
        "scores",
        "best",
        "tensorboard",
    }
    assert sorted(path.name for path in folder.best.iterdir()) == ["1", "2"]


@pytest.mark.slow
def test_run_tensorboard_has_a_run_per_trial_and_the_scores(done):
    _, _, folder, _ = done
    runs = sorted(folder.tensorboard.iterdir())
    assert [run.name for run in runs] == ["scores", *(f"trial-{number:04}" for number in range(4))]
    assert all(next(run.glob("events.out.tfevents.*")).stat().st_size > 100 for run in runs)


@pytest.mark.slow
def test_run_best_model_loads_as_transformers_pipeline(done):
    from transformers import pipeline

    _, _, folder, _ = done
    found = pipeline("ner", str(folder.best / "1"))("Ada Lindqvist lives in Uppsala .")
    assert all(each["entity"][:2] in ("B-", "I-") for each in found)


@pytest.mark.slow
def test_run_best_model_has_a_model_card(done):
    _study, row, folder, _ = done
    card = (folder.best / "1" / "README.md").read_text()
    assert card.startswith("---\npipeline_tag: token-classification\n")
    for fact in (
        "suc-original",
        "learning_rate",
        f"{row.f1('test', 'cased'):.5f}",
        row.corpus_sha256,
        "torch",
    ):
        assert fact in card


@pytest.mark.slow
def test_export_confirms_the_best_model_with_seqeval(done):
    _study, row, folder, _ = done
    sentence = f"Micro F1 on dev and test (cased) confirmed with seqeval {version('seqeval')}."
    assert sentence in folder.report.read_text()
    assert sentence in (folder.best / "1" / "README.md").read_text()
    assert "confirmed with" not in (folder.best / "2" / "README.md").read_text()
    check = json.loads((folder.best / "1" / "seqeval.json").read_text())
    assert check["f1"] == pytest.approx(
        {split: row.f1(split, "cased") for split in ("dev", "test")}, abs=1e-9
    )


@pytest.mark.slow
def test_evaluate_best_model_equals_its_row(done):
    study, row, folder, _ = done
    scores = evaluate_checkpoint(folder.best / "1", study.data, study.tags, study.seed)
    assert {split: scores[split] for split in ("dev", "test")} == row.scores


@pytest.mark.slow
def test_evaluate_other_labels_is_rejected(done, tmp_path):
    _, _, folder, _ = done
    (tmp_path / "train.jsonl").write_text('{"tokens": ["Ada"], "ner_tags": ["B-PER"]}\n')
    with pytest.raises(UserError, match="labels must be those of the tag family"):
        evaluate_checkpoint(folder.best / "1", str(tmp_path), "conll", 42)


@pytest.mark.slow
def test_run_writes_resolved_study_and_environment(done):
    study, row, folder, _ = done
    assert stored_study(folder) == study
    environment = json.loads(folder.environment.read_text())
    assert environment["corpus_sha256"] == row.corpus_sha256
    assert environment["versions"]["ray"] != "not installed"


@pytest.mark.slow
def test_run_finished_study_returns_row_without_running(done):
    study, row, folder, _ = done
    before = folder.trials.stat().st_mtime_ns
    assert run(study, Console(quiet=True)) == row
    assert folder.trials.stat().st_mtime_ns == before


@pytest.mark.slow
def test_run_other_settings_under_same_name_reports_differences(done):
    study, _, _, _ = done
    other = study.model_copy(update={"trials": 5, "seed": 7})
    with pytest.raises(UserError) as refused:
        run(other, Console(quiet=True))
    assert [issue.message.partition(" with ")[2] for issue in refused.value.issues] == ["trials=4", "seed=42"]


@pytest.mark.slow
def test_with_free_name_taken_name_appends_number(done):
    study, _, _, _ = done
    assert with_free_name(study).name == "small"
    assert with_free_name(study.model_copy(update={"trials": 5})).name == "small-2"


@pytest.mark.slow
def test_plan_rows_finished_rows_keep_their_names(done):
    study, _, _, _ = done
    options = settings(study.data) | {"name": None}
    planned = plan_rows(options, GridRows("cased,uncased", "suc-original", "asha,random"))
    assert [(each.train_on, each.algorithm) for each in planned] == [
        ("cased", "asha"), ("cased", "random"), ("uncased", "asha"), ("uncased", "random"),
    ]  # fmt: skip
    assert len({each.name for each in planned}) == 4


def test_plan_rows_study_file_sets_shared_fields(empty_folder):
    file = empty_folder / "base.yaml"
    file.write_text("trials: 3\ntags: conll\nalgorithm: random\nsubsample: {train: 0.5}\n"
                    "fixed: {lr_gamma: 0.5, lr_schedule: exponential}\n")  # fmt: skip
    planned = plan_rows({"trials": 2, "fixed": {"epochs": 4}}, GridRows("cased,uncased"), file)
    assert [(each.name, each.train_on) for each in planned] == [
        ("demo-conll-cased-random", "cased"), ("demo-conll-uncased-random", "uncased"),
    ]  # fmt: skip
    for each in planned:
        assert (each.tags, each.algorithm, each.trials, each.subsample) == (
            "conll",
            "random",
            2,
            {"train": 0.5},
        )
        assert each.fixed == {"lr_gamma": 0.5, "lr_schedule": "exponential", "epochs": 4}
    assert len(plan_rows({}, GridRows(algorithms="asha,pbt"), file)) == 14


def test_plan_rows_name_in_study_file_is_prefix(empty_folder):
    file = empty_folder / "base.yaml"
    file.write_text("name: suc\ntrials: 3\ntrain_on: uncased\n")
    planned = plan_rows({}, GridRows(tags="conll,finer", algorithms="asha,pbt"), file)
    assert [each.name for each in planned] == [
        "suc-conll-uncased-asha", "suc-conll-uncased-pbt", "suc-finer-uncased-asha", "suc-finer-uncased-pbt",
    ]  # fmt: skip


@pytest.mark.slow
def test_run_without_successful_trial_reports_reasons(done, tmp_path, monkeypatch, write_demo_corpus):
    from transformers import AutoModelForTokenClassification

    _, _, folder, place = done
    broken = shutil.copytree((place / folder.best / "1"), tmp_path / "broken")
    model = AutoModelForTokenClassification.from_pretrained(broken)
    model.classifier.weight.data.fill_(float("nan"))
    model.save_pretrained(broken)
    monkeypatch.chdir(tmp_path)
    data = write_demo_corpus(tmp_path / "corpus", {"train": 20, "dev": 10})
    study = build_study(settings(data, trials=2, model="broken"))
    with pytest.raises(StudyFailed, match="none of its 2 trials succeeded") as failure:
        run(study, Console(quiet=True))
    assert "NonFiniteLoss: the loss is not finite after step 1" in str(failure.value)
    trials = read_trials(read_lines(StudyFolder("small").trials))
    assert [trial.state for trial in trials] == [State.FAILED] * 2


def test_read_corpus_split_emptied_by_family_is_rejected(tmp_path):
    line = '{"tokens": ["Ada"], "ner_tags": ["B-person"], "auto_tags": ["B-LOC"]}\n'
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text(line)
    with pytest.raises(UserError, match=r"the (train|dev) split has no sentences"):
        read_corpus(build_study({"name": "s", "data": str(tmp_path), "tags": "suc-simple"}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"frozen_layers": [0, 3, 1]},
            "frozen_layers: must be at most the number of layers of the model, 2 (got 3)",
        ),
        ({"precision": ["off", "fp16"]}, "precision: requires a GPU, and none is available (got 'fp16'"),
    ],
    ids=str,
)
def test_run_searched_value_unsupported_by_model_is_rejected(
    empty_folder, monkeypatch, values, message, write_demo_corpus
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data = write_demo_corpus(empty_folder / "corpus", {"train": 20, "dev": 5})
    parameters = {name: {"type": "choice", "values": each} for name, each in values.items()}
    with pytest.raises(UserError) as caught:
        run(build_study(settings(data, space={"parameters": parameters})), Console())
    assert str(caught.value).startswith(message)
    assert not StudyFolder("small").path.exists()


def test_read_corpus_train_splits_with_dev_extends_train(tmp_path, write_demo_corpus):
    data = write_demo_corpus(tmp_path / "corpus", {"train": 30, "dev": 10, "test": 10})
    study = build_study(settings(data, train_splits=["train", "dev"], subsample={"train": 0.5}))
    corpus, _ = read_corpus(study)
    assert corpus.notes[-1] == "the model was trained on dev, so its dev scores are not on unseen text"
    assert {name: len(sentences) for name, sentences in corpus.splits.items()} == {
        "train": 25,
        "dev": 10,
        "test": 10,
    }


@pytest.mark.slow
def test_read_corpus_without_test_split_succeeds(done, tmp_path, monkeypatch):
    study, _, _folder, place = done
    data = shutil.copytree(place / "corpus", tmp_path / "corpus")
    (data / "test.jsonl").unlink()
    corpus, _ = read_corpus(study.model_copy(update={"data": str(data)}))
    assert list(corpus.splits) == ["train", "dev"]


@pytest.mark.parametrize(
    ("hyperparameter", "values", "asked"),
    [("lora_r", [0, 8], 8), ("pooling", ["mean", "first"], "mean"), ("classifier_dropout", [0.3, 0.1], 0.3)],
)
def test_demanding_value_choice_returns_value_that_needs_support(hyperparameter, values, asked):
    space = {"parameters": {hyperparameter: {"type": "choice", "values": values}}}
    domain = build_study({"space": space}).space.parameters[hyperparameter]
    assert demanding_value(hyperparameter, domain) == asked


@pytest.mark.slow
def test_run_searched_label_scheme_and_max_length_score_each_model_as_trained(
    empty_folder, write_demo_corpus
):
    data = write_demo_corpus(empty_folder / "corpus", {"train": 150, "dev": 50, "test": 40})
    choices = {"label_scheme": ["plain", "bilou"], "max_length": [12, 64]}
    space = {
        "parameters": {name: {"type": "choice", "values": values} for name, values in choices.items()},
        "fixed": {"epochs": 2, "batch_size": 16, "evals_per_epoch": 1, "learning_rate": 2e-3},
    }
    study = build_study(
        settings(
            data, space=space, algorithm="grid", trials=4, baseline=False, name="schemes", keep_checkpoints=4
        )
    )
    row = run(study, quiet=True)
    folder = StudyFolder("schemes")
    trials = rank_trials(read_trials(read_lines(folder.trials)), include_failed=True)
    assert len({tuple(trial.params.values()) for trial in trials}) == 4
    gold = set()
    for rank, trial in enumerate(trials, 1):
        place = folder.best / str(rank)
        labels = json.loads((place / "config.json").read_text())["id2label"]
        assert {10: "plain", 37: "bilou"}[len(labels)] == trial.params["label_scheme"]
        window = json.loads((place / "tokenizer_config.json").read_text())["model_max_length"]
        assert window == trial.params["max_length"]
        assert ("hpo predict" in (place / "README.md").read_text()) == (len(labels) == 37)
        scored = evaluate_checkpoint(place, str(data), "suc-original", 42)
        written = json.loads((place / "scores.json").read_text())["scores"]
        assert scored["test"]["cased"].f1 == written["test"]["cased"]["f1"]
        assert scored["dev"]["cased"].f1 == written["dev"]["cased"]["f1"] == trial.best.f1
        gold.add(scored["test"]["cased"].gold)
    assert len(gold) == 1 and row.hyperparameters["max_length"] in (12, 64)
    notes = json.loads(folder.environment.read_text())["notes"]
    assert any(note.startswith("max_length 12, context 0: train: ") for note in notes)


def test_run_max_length_above_model_limit_is_rejected_before_writing(empty_folder, write_demo_corpus):
    data = write_demo_corpus(empty_folder / "corpus", {"train": 5, "dev": 5})
    rule = r"max_length: must be at most 256, the longest input of tiny \(got 300"
    with pytest.raises(UserError, match=rule):
        run(build_study(settings(data, fixed={"max_length": 300})), quiet=True)
    assert not (empty_folder / "results" / "small").exists()
