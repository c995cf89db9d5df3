"""A run learns, evaluates on schedule, writes its best checkpoint, and applies every hyperparameter."""

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


def run(
    corpus, training_config, *, until=None, on_new_best=lambda measurement: None, seed=1, train_on="cased"
):
    measurements: list[Measurement] = []

    def report(measurement):
        measurements.append(measurement)
        return until is None or measurement.epoch < until

    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on=train_on, seed=seed
        ),
        TrainingCallbacks(report, on_new_best),
    )
    return measurements


@pytest.fixture(scope="module")
def learned(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "best"
    training_config = TrainingConfig(
        learning_rate=2e-3, epochs=6, batch_size=16, warmup_ratio=0.1, evals_per_epoch=2
    )
    return run(corpus, training_config, on_new_best=lambda measurement: folder), folder


def test_train_on_learnable_labels_raises_f1(learned):
    measurements, _ = learned
    assert measurements[-1].f1 > 0.9
    assert measurements[-1].train_loss < measurements[0].train_loss


def test_train_with_two_evaluations_per_epoch_reports_half_epochs(learned):
    measurements, _ = learned
    assert [each.epoch for each in measurements] == [number / 2 for number in range(1, 13)]
    assert [each.step for each in measurements] == [4 * number for number in range(1, 13)]


@pytest.mark.parametrize("evals, batch, expected", [(3, 16, 3), (4, 64, 2), (1, 7, 1)])
def test_train_with_any_batch_size_evaluates_at_the_end_of_each_epoch(corpus, evals, batch, expected):
    training_config = TrainingConfig(epochs=2, batch_size=batch, evals_per_epoch=evals)
    epochs = [each.epoch for each in run(corpus, training_config)]
    assert len(epochs) == 2 * expected
    assert 1.0 in epochs and epochs[-1] == 2.0


def test_checkpoint_holds_the_best_measurement(learned, corpus):
    measurements, folder = learned
    best = max(measurements, key=lambda each: each.sort_key)
    assert json.loads((folder / "measurement.json").read_text()) == best.to_json()


def test_checkpoint_when_evaluated_gives_the_reported_scores(learned, corpus):
    from hpo.training.dev_evaluator import build_dev_evaluator

    measurements, folder = learned
    model = AutoModelForTokenClassification.from_pretrained(folder)
    scores = build_dev_evaluator(corpus, Objective("mean", ("cased",))).evaluate(model, None)
    best = max(measurements, key=lambda each: each.sort_key)
    assert (scores["f1"], scores["loss"]) == (best.f1, pytest.approx(best.loss, abs=1e-6))


def test_checkpoint_in_a_pipeline_predicts_label_names(learned, corpus):
    _, folder = learned
    tagger = pipeline(
        "ner", model=str(folder), tokenizer=str(corpus.tokenizer), aggregation_strategy="simple"
    )
    found = {each["entity_group"] for each in tagger("today Ada Lindqvist walked in Uppsala .")}
    assert found <= {"person", "place"} and found


def test_train_with_equal_seeds_gives_equal_scores(corpus):
    training_config = TrainingConfig(learning_rate=1e-3, epochs=1, batch_size=16)
    scores = [
        [(each.f1, each.loss, each.train_loss) for each in run(corpus, training_config, seed=s)]
        for s in (1, 1, 2)
    ]
    assert scores[0] == scores[1] != scores[2]


def test_train_when_report_returns_false_stops(corpus):
    measurements = run(corpus, TrainingConfig(epochs=50, batch_size=16), until=1)
    assert measurements[-1].epoch == 1


def test_train_with_non_finite_loss_raises(corpus, monkeypatch):
    def diverged(*args):
        model = build_model(*args)
        torch.nn.init.constant_(model.classifier.weight, float("nan"))
        return model

    monkeypatch.setattr("hpo.training.trainer.build_model", diverged)
    with pytest.raises(NonFiniteLoss, match="not finite after step 4"):
        run(corpus, TrainingConfig(epochs=3, evals_per_epoch=1, batch_size=30))


@pytest.mark.parametrize("lr_schedule", ["linear", "cosine", "constant"])
def test_train_with_warmup_raises_the_rate_linearly(corpus, optimizer_rates, lr_schedule):
    run(
        corpus,
        TrainingConfig(
            learning_rate=1e-3, warmup_ratio=0.25, lr_schedule=lr_schedule, epochs=5, batch_size=30
        ),
    )
    assert len(optimizer_rates) == 20
    assert optimizer_rates[:6] == pytest.approx([0, 2e-4, 4e-4, 6e-4, 8e-4, 1e-3])
    assert (optimizer_rates[-1] < 1e-3) == (lr_schedule != "constant")


def test_train_applies_hyperparameters_to_optimizer_modules_and_loader(corpus, monkeypatch):
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


def test_train_without_checkpoint_directory_writes_nothing(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(corpus, TrainingConfig(epochs=1, batch_size=30))
    assert list(tmp_path.iterdir()) == []


def test_build_model_draws_weights_from_the_seed(corpus):
    models = [
        build_model("tiny", corpus.label_names, corpus.vocabulary, TrainingConfig(), seed)
        for seed in (1, 1, 2)
    ]
    weights = [model.classifier.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_count_weights_equals_the_number_of_model_weights():
    model = build_model("tiny", ("O", "B-a", "I-a"), 3000, TrainingConfig(), 1)
    assert count_parameters("tiny") == sum(part.numel() for part in model.parameters())


@pytest.mark.parametrize(
    "text", ["trained-on", "uncased", "min(cased, uncased)", "mean(ne-lower, uncased-cased-mix)"]
)
def test_dev_evaluator_with_any_objective_agrees_with_split_scores(learned, corpus, text):
    from hpo.evaluation.checkpoint_scores import score_split
    from hpo.models.checkpoints import load_checkpoint
    from hpo.training.dev_evaluator import build_dev_evaluator

    model = load_checkpoint(learned[1])
    by_variant = score_split(model, corpus, "dev")
    objective = parse_objective(text, "cased")
    expected = [by_variant[variant].f1 for variant in objective.variants]
    scores = build_dev_evaluator(corpus, objective).evaluate(model, None)
    assert scores["f1"] == {"min": min(expected), "mean": sum(expected) / len(expected)}[objective.reduction]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a case variant"),
        ("cased, uncased", "must be mean"),
        ("max(cased)", "'max.cased.' is not a case variant"),
        ("min(cased, cased)", "must name each variant once"),
        ("min(cased, accuracy)", "'accuracy' is not a case variant"),
    ],
)
def test_parse_objective_with_invalid_text_raises(text, message):
    with pytest.raises(ValueError, match=message):
        parse_objective(text, "cased")
