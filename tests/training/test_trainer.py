"""A run learns, reports on time, keeps its best, and takes every hyperparameter to where it works."""

import json

import pytest
import torch
from transformers import AutoModelForTokenClassification, pipeline

from hpo.config.objective import Objective, parse_objective
from hpo.config.training_config import TrainingConfig
from hpo.models.build import build_model, count_parameters
from hpo.training.measurement import Measurement
from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)


def run(corpus, training_config, *, until=None, keep=lambda measurement: None, seed=1, train_on="cased"):
    measurements: list[Measurement] = []

    def report(measurement):
        measurements.append(measurement)
        return until is None or measurement.epoch < until

    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on=train_on, seed=seed
        ),
        TrainingCallbacks(report, keep),
    )
    return measurements


@pytest.fixture(scope="module")
def learned(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "best"
    training_config = TrainingConfig(
        learning_rate=2e-3, epochs=6, batch_size=16, warmup_ratio=0.1, evals_per_epoch=2
    )
    return run(corpus, training_config, keep=lambda measurement: folder), folder


def test_a_run_learns(learned):
    measurements, _ = learned
    assert measurements[-1].f1 > 0.9
    assert measurements[-1].train_loss < measurements[0].train_loss


def test_measurements_come_at_even_shares_of_an_epoch(learned):
    measurements, _ = learned
    assert [each.epoch for each in measurements] == [number / 2 for number in range(1, 13)]
    assert [each.step for each in measurements] == [4 * number for number in range(1, 13)]


@pytest.mark.parametrize("evals, batch, expected", [(3, 16, 3), (4, 64, 2), (1, 7, 1)])
def test_an_epoch_ends_with_a_measurement_whatever_its_steps(corpus, evals, batch, expected):
    training_config = TrainingConfig(epochs=2, batch_size=batch, evals_per_epoch=evals)
    epochs = [each.epoch for each in run(corpus, training_config)]
    assert len(epochs) == 2 * expected
    assert 1.0 in epochs and epochs[-1] == 2.0


def test_the_kept_model_is_that_of_the_best_epoch(learned, corpus):
    measurements, folder = learned
    best = max(measurements, key=lambda each: each.sort_key)
    assert json.loads((folder / "measurement.json").read_text()) == best.to_json()


def test_the_kept_model_says_what_the_trained_one_said(learned, corpus):
    from hpo.training.dev_evaluator import build_dev_evaluator

    measurements, folder = learned
    model = AutoModelForTokenClassification.from_pretrained(folder)
    said = build_dev_evaluator(corpus, Objective("mean", ("cased",))).evaluate(model, None)
    best = max(measurements, key=lambda each: each.sort_key)
    assert (said["f1"], said["loss"]) == (best.f1, pytest.approx(best.loss, abs=1e-6))


def test_the_kept_model_serves_a_pipeline_with_label_names(learned, corpus):
    _, folder = learned
    tagger = pipeline(
        "ner", model=str(folder), tokenizer=str(corpus.tokenizer), aggregation_strategy="simple"
    )
    found = {each["entity_group"] for each in tagger("today Ada Lindqvist walked in Uppsala .")}
    assert found <= {"person", "place"} and found


def test_the_same_seed_gives_the_same_scores(corpus):
    training_config = TrainingConfig(learning_rate=1e-3, epochs=1, batch_size=16)
    scores = [
        [(each.f1, each.loss, each.train_loss) for each in run(corpus, training_config, seed=s)]
        for s in (1, 1, 2)
    ]
    assert scores[0] == scores[1] != scores[2]


def test_a_report_can_stop_a_run(corpus):
    measurements = run(corpus, TrainingConfig(epochs=50, batch_size=16), until=1)
    assert measurements[-1].epoch == 1


def test_a_loss_that_is_not_finite_ends_the_run(corpus, monkeypatch):
    def diverged(*args):
        model = build_model(*args)
        torch.nn.init.constant_(model.classifier.weight, float("nan"))
        return model

    monkeypatch.setattr("hpo.training.trainer.build_model", diverged)
    with pytest.raises(NonFiniteLoss, match="not finite after step 4"):
        run(corpus, TrainingConfig(epochs=3, evals_per_epoch=1, batch_size=30))


@pytest.mark.parametrize("lr_schedule", ["linear", "cosine", "constant"])
def test_the_warm_up_really_warms(corpus, monkeypatch, lr_schedule):
    rates = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    run(
        corpus,
        TrainingConfig(
            learning_rate=1e-3, warmup_ratio=0.25, lr_schedule=lr_schedule, epochs=5, batch_size=30
        ),
    )
    assert len(rates) == 20
    assert rates[:6] == pytest.approx([0, 2e-4, 4e-4, 6e-4, 8e-4, 1e-3])
    assert (rates[-1] < 1e-3) == (lr_schedule != "constant")


def test_knobs_reach_the_optimizer_the_modules_and_the_loader(corpus, monkeypatch):
    seen = {}

    def look(self, *args, **kwargs):
        loader = self.get_train_dataloader()
        self.create_optimizer()
        groups = self.optimizer.param_groups
        seen.update(
            rate=groups[0]["lr"],
            decay=[group["weight_decay"] for group in groups],
            batch=int(next(iter(loader))["segment_ids"].max()),
            norm=self.args.max_grad_norm,
            attention=self.model.bert.encoder.layer[0].attention.self.dropout.p,
            hidden=self.model.bert.encoder.layer[1].output.dropout.p,
            classifier=self.model.dropout.p,
        )

    monkeypatch.setattr(NerTrainer, "train", look)
    training_config = TrainingConfig(
        learning_rate=3e-4,
        weight_decay=0.07,
        batch_size=8,
        max_grad_norm=0.5,
        attention_dropout=0.03,
        hidden_dropout=0.17,
    )
    run(corpus, training_config)
    assert seen == {
        "rate": 3e-4,
        "decay": [0.07, 0.0],
        "batch": 8,
        "norm": 0.5,
        "attention": 0.03,
        "hidden": 0.17,
        "classifier": 0.17,
    }


def test_nothing_is_written_beside_what_is_kept(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(corpus, TrainingConfig(epochs=1, batch_size=30))
    assert list(tmp_path.iterdir()) == []


def test_fresh_weights_follow_the_seed(corpus):
    models = [
        build_model("tiny", corpus.label_names, corpus.vocabulary, TrainingConfig(), seed)
        for seed in (1, 1, 2)
    ]
    weights = [model.classifier.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_weights_are_counted_without_making_them():
    model = build_model("tiny", ("O", "B-a", "I-a"), 3000, TrainingConfig(), 1)
    assert count_parameters("tiny") == sum(part.numel() for part in model.parameters())


@pytest.mark.parametrize(
    "text", ["trained-on", "uncased", "min(cased, uncased)", "mean(ne-lower, uncased-cased-mix)"]
)
def test_an_objective_is_what_separate_scorings_make_it(learned, corpus, text):
    from hpo.evaluation.checkpoint_scores import score_split
    from hpo.models.checkpoints import load_checkpoint
    from hpo.training.dev_evaluator import build_dev_evaluator

    model = load_checkpoint(learned[1])
    by_variant = score_split(model, corpus, "dev")
    objective = parse_objective(text, "cased")
    expected = [by_variant[variant].f1 for variant in objective.variants]
    said = build_dev_evaluator(corpus, objective).evaluate(model, None)
    assert said["f1"] == {"min": min(expected), "mean": sum(expected) / len(expected)}[objective.reduction]


@pytest.mark.parametrize(
    "text", ["", "cased, uncased", "max(cased)", "min(cased, cased)", "min(cased, accuracy)"]
)
def test_an_objective_that_no_trial_reports_is_refused(text):
    with pytest.raises(ValueError, match="cell"):
        parse_objective(text, "cased")
