"""A resumed run continues exactly, or with new hyperparameters."""

import pytest
import torch
from safetensors.torch import load_file

from hpo.config.training_config import TrainingConfig
from hpo.training.measurement import SNAPSHOT_FILE, read_snapshot
from hpo.training.resume import WEIGHTS
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)
CONFIG = TrainingConfig(
    learning_rate=1e-3, epochs=3, batch_size=16, warmup_ratio=0.1, evals_per_epoch=3, attention_dropout=0.1
)


def run(corpus, training_config, *, resume_dir=None, reports=100):
    measurements = []

    def report(measurement):
        measurements.append(
            {name: value for name, value in measurement.to_json().items() if name != "seconds"}
        )
        return len(measurements) < reports

    train(
        TrainingTask(
            training_config=training_config,
            corpus=corpus.folder,
            model="tiny",
            train_on="cased",
            seed=1,
            resume_dir=resume_dir,
        ),
        TrainingCallbacks(report),
    )
    return measurements


@pytest.fixture(scope="module")
def uninterrupted(corpus):
    return run(corpus, CONFIG)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6, 8])
def test_train_when_resumed_continues_exactly(corpus, tmp_path, uninterrupted, cut):
    resume_dir = tmp_path / "state"
    first = run(corpus, CONFIG, resume_dir=resume_dir, reports=cut)
    assert first == uninterrupted[:cut]
    torch.manual_seed(999)
    assert run(corpus, CONFIG, resume_dir=resume_dir) == uninterrupted[cut:]


def test_train_when_resumed_after_the_end_reports_nothing(corpus, tmp_path):
    resume_dir = tmp_path / "state"
    run(corpus, CONFIG, resume_dir=resume_dir)
    assert run(corpus, CONFIG, resume_dir=resume_dir) == []


def test_snapshot_holds_last_and_best_measurement(corpus, tmp_path):
    resume_dir = tmp_path / "state"
    measured = run(corpus, CONFIG, resume_dir=resume_dir, reports=4)
    snapshot = read_snapshot(resume_dir)
    assert snapshot.last.f1 == measured[-1]["f1"]
    assert snapshot.best.f1 == max(each["f1"] for each in measured)
    assert sorted(path.name for path in resume_dir.iterdir()) == [
        WEIGHTS,
        "optimizer.safetensors",
        SNAPSHOT_FILE,
        "trainer_state.json",
    ]
    assert list(tmp_path.iterdir()) == [resume_dir]


@pytest.mark.parametrize("text", [None, "", '{"last": '])
def test_read_snapshot_without_complete_file_returns_none(tmp_path, text):
    if text is not None:
        (tmp_path / SNAPSHOT_FILE).write_text(text)
    assert read_snapshot(tmp_path) is None


def test_train_when_resumed_with_new_hyperparameters_applies_them(corpus, tmp_path, monkeypatch):
    resume_dir = tmp_path / "state"
    run(corpus, CONFIG, resume_dir=resume_dir, reports=3)
    new = CONFIG.model_copy(
        update={
            "learning_rate": 4e-4,
            "weight_decay": 0.2,
            "batch_size": 8,
            "hidden_dropout": 0.33,
            "classifier_dropout": 0.44,
            "lr_schedule": "constant",
        }
    )
    seen = {}
    training_step = NerTrainer.training_step

    def recording_step(self, model, inputs, *args, **kwargs):
        if not seen:
            group = self.optimizer.param_groups[0]
            moments = self.optimizer.state_dict()["state"].values()
            seen.update(
                rate=group["lr"],
                decay=group["weight_decay"],
                moments=len(moments) > 0 and all("exp_avg" in each for each in moments),
                batch=int(inputs["segment_ids"].max()),
                dropout=(model.bert.embeddings.dropout.p, model.dropout.p),
                step=self.state.global_step,
            )
        return training_step(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "training_step", recording_step)
    measured = run(corpus, new, resume_dir=resume_dir)
    assert seen == {
        "rate": pytest.approx(4e-4), "decay": 0.2, "moments": True, "batch": 8,
        "dropout": (0.33, 0.44), "step": 15,
    }  # fmt: skip
    assert [each["epoch"] for each in measured] == pytest.approx([1 + number / 3 for number in range(1, 7)])


def test_snapshot_of_lora_model_from_scratch_holds_all_weights(corpus, tmp_path):
    """PBT copies a snapshot to a trial with another seed, which would draw other frozen weights."""
    training_config = CONFIG.model_copy(update={"lora_r": 2, "classifier_dropout": 0.1})
    run(corpus, training_config, resume_dir=tmp_path / "state", reports=1)
    held = load_file(tmp_path / "state" / WEIGHTS)
    assert "bert.embeddings.word_embeddings.weight" in held and any("lora_A" in name for name in held)
