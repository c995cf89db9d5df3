"""A run that was cut off goes on as if it had not been; one with new settings goes on with those."""

import pytest
import torch
from safetensors.torch import load_file

from hpo.config.training_config import TrainingConfig
from hpo.training.measurement import SNAPSHOT_FILE, read_snapshot
from hpo.training.resume import WEIGHTS
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)
RECIPE = TrainingConfig(
    learning_rate=1e-3, epochs=3, batch_size=16, warmup_ratio=0.1, evals_per_epoch=3, attention_dropout=0.1
)


def run(corpus, training_config, *, state=None, reports=100):
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
            resume_dir=state,
        ),
        TrainingCallbacks(report),
    )
    return measurements


@pytest.fixture(scope="module")
def uncut(corpus):
    return run(corpus, RECIPE)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6, 8])
def test_a_run_that_was_cut_goes_on_exactly(corpus, tmp_path, uncut, cut):
    state = tmp_path / "state"
    first = run(corpus, RECIPE, state=state, reports=cut)
    assert first == uncut[:cut]
    torch.manual_seed(999)
    assert run(corpus, RECIPE, state=state) == uncut[cut:]


def test_a_run_that_had_ended_ends_at_once(corpus, tmp_path):
    state = tmp_path / "state"
    run(corpus, RECIPE, state=state)
    assert run(corpus, RECIPE, state=state) == []


def test_a_snapshot_says_where_it_stands(corpus, tmp_path):
    state = tmp_path / "state"
    measured = run(corpus, RECIPE, state=state, reports=4)
    snapshot = read_snapshot(state)
    assert snapshot.last.f1 == measured[-1]["f1"]
    assert snapshot.best.f1 == max(each["f1"] for each in measured)
    assert sorted(path.name for path in state.iterdir()) == [
        WEIGHTS,
        "optimizer.safetensors",
        SNAPSHOT_FILE,
        "trainer_state.json",
    ]
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.parametrize("text", [None, "", '{"last": '])
def test_a_snapshot_that_is_not_whole_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / SNAPSHOT_FILE).write_text(text)
    assert read_snapshot(tmp_path) is None


def test_new_settings_take_the_place_of_the_old(corpus, tmp_path, monkeypatch):
    state = tmp_path / "state"
    run(corpus, RECIPE, state=state, reports=3)
    new = RECIPE.model_copy(
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

    def looked(self, model, inputs, *args, **kwargs):
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

    monkeypatch.setattr(NerTrainer, "training_step", looked)
    measured = run(corpus, new, state=state)
    assert seen == {
        "rate": pytest.approx(4e-4), "decay": 0.2, "moments": True, "batch": 8,
        "dropout": (0.33, 0.44), "step": 15,
    }  # fmt: skip
    assert [each["epoch"] for each in measured] == pytest.approx([1 + number / 3 for number in range(1, 7)])


def test_what_was_drawn_and_not_read_is_held_whole_under_lora_too(corpus, tmp_path):
    """A population hands a run to a trial of another seed, which would draw another frozen model."""
    training_config = RECIPE.model_copy(update={"lora_r": 2, "classifier_dropout": 0.1})
    run(corpus, training_config, state=tmp_path / "state", reports=1)
    held = load_file(tmp_path / "state" / WEIGHTS)
    assert "bert.embeddings.word_embeddings.weight" in held and any("lora_A" in name for name in held)
