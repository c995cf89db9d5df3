"""On every family each hyperparameter's value arrives in the optimizer, scheduler, loader or loss of a
run."""

import ast
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils import checkpoint

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.encoding.encoded_corpus import write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.window_dataset import IGNORE_INDEX
from hpo.errors import UserError
from hpo.models.build import build_model
from hpo.training.losses import class_weights
from hpo.training.lr_schedules import TrainingSteps, lr_multiplier
from hpo.training.optimizer import check_model_supports, freeze_layers, parameter_groups
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

LABELS = label_names(("person", "place"))
LORA = {"lora_r": 4, "lora_targets": "query, key"}
SHAPES = {
    "plain": {},
    "lora": LORA,
    "pooled": {"pooling": "mean"},
    "lora, pooled": LORA | {"pooling": "first-last"},
}
shapes = pytest.mark.parametrize("shape", SHAPES)
TESTED = {
    "test_a_run_steps_as_the_recipe_says": (
        "learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
        "batch_size", "accumulation_steps", "precision", "label_smoothing", "class_weighting",
        "effective_beta", "epochs", "evals_per_epoch",
    ),
    "test_layers_and_head_learn_as_fast_as_they_are_told": ("layerwise_decay", "head_lr_multiplier"),
    "test_frozen_layers_are_not_trained": ("frozen_layers",),
    "test_checkpointing_and_accumulation_change_no_gradient": ("gradient_checkpointing",),
    "test_the_optimizer_follows_every_schedule": (
        "lr_schedule", "lr_gamma", "lr_cycles", "cooldown_epochs", "warmup_ratio", "warmup_epochs",
        "warmup_steps",
    ),
    "test_a_run_ends_when_its_patience_does": ("patience", "early_stopping_metric", "min_delta"),
    "test_an_adaptive_run_cools_down_and_comes_back": ("cooldown_restarts",),
    "test_a_model_learns_the_labels_of_the_scheme": ("label_scheme",),
    "test_dropouts_reach_their_modules": ("attention_dropout", "hidden_dropout", "classifier_dropout"),
    "test_a_pooling_reaches_the_head": ("pooling",),
    "test_rank_scale_dropout_and_targets_reach_the_modules": (
        "lora_r", "lora_alpha", "lora_dropout", "lora_targets"
    ),
    "test_labels_on_all_subtokens_begin_on_the_first_only": ("label_alignment",),
    "test_windows_and_context_are_as_long_as_they_are_told": ("max_length", "context"),
}  # fmt: skip
"""The tests, here and beside, that hold a hyperparameter on every family."""


def test_every_knob_is_held_on_every_family():
    assert sorted(
        hyperparameter for hyperparameters in TESTED.values() for hyperparameter in hyperparameters
    ) == sorted(TrainingConfig.model_fields)
    found = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = {each.arg for each in node.args.args}
    for name in TESTED:
        assert found[name] & {"family", "folder", "own_tokenizer"}, name


def watched_run(folder, encoded, monkeypatch, training_config, learn=True):
    """What a run measured, and what it did at each step."""
    seen = {
        "rates": [],
        "batches": [],
        "lines": [],
        "parts": [],
        "losses": [],
        "clipped": set(),
        "types": set(),
    }
    step, part, optimize = NerTrainer.training_step, NerTrainer.compute_loss, torch.optim.AdamW.step

    def training_step(self, model, inputs, *args, **kwargs):
        seen["trainer"] = self
        seen["batches"].append(int(inputs["segment_ids"].max()))
        seen["lines"].append(len(inputs["input_ids"]))
        return step(self, model, inputs, *args, **kwargs) if learn else torch.zeros(())

    def compute_loss(self, model, inputs, *args, num_items_in_batch=None, **kwargs):
        seen["parts"].append(len(inputs["input_ids"]))
        labels = inputs["labels"].clone()
        hook = model.classifier.register_forward_hook(
            lambda _, __, logits: seen["losses"].append([logits.detach(), labels])
        )
        loss = part(self, model, inputs, *args, num_items_in_batch=num_items_in_batch, **kwargs)
        hook.remove()
        seen["losses"][-1] += [loss.item(), num_items_in_batch]
        seen["types"].add(seen["losses"][-1][0].dtype)
        return loss

    def adamw(self, *args, **kwargs):
        seen["rates"].append([group["lr"] for group in self.param_groups])
        return optimize(self, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "training_step", training_step)
    monkeypatch.setattr(NerTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr(torch.optim.AdamW, "step", adamw)
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda p, norm, **more: seen["clipped"].add(norm) or clip(p, norm)
    )
    measured = []
    train(
        TrainingTask(
            training_config=training_config, corpus=encoded.folder, model=folder, train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: measured.append(each) or True),
    )
    monkeypatch.undo()
    return measured, seen


def test_a_run_steps_as_the_recipe_says(folder, encoded, monkeypatch):
    training_config = TrainingConfig(
        learning_rate=3e-3, weight_decay=0.07, adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6,
        max_grad_norm=0.25, batch_size=24, accumulation_steps=2, precision="bf16", label_smoothing=0.1,
        class_weighting="effective", effective_beta=0.99, epochs=2, evals_per_epoch=2, lr_schedule="constant",
    )  # fmt: skip
    measured, seen = watched_run(folder, encoded, monkeypatch, training_config)
    rows = len(seen["trainer"].train_dataset)
    steps = math.ceil(rows / 24)
    assert [each.epoch for each in measured] == [0.5, 1.0, 1.5, 2.0]
    assert len(seen["rates"]) == len(seen["batches"]) == 2 * steps
    assert sorted(seen["batches"])[-steps:] == [24] * steps or max(seen["batches"]) == 24
    assert sum(seen["batches"]) == 2 * rows
    assert seen["parts"] == [part for lines in seen["lines"] for part in (-(-lines // 2), lines // 2) if part]
    assert max(seen["lines"]) > 1
    assert {rate for rates in seen["rates"] for rate in rates} == {3e-3}
    groups = seen["trainer"].optimizer.param_groups
    assert [(g["weight_decay"], g["betas"], g["eps"]) for g in groups] == [
        (decay, (0.8, 0.95), 1e-6) for decay in (0.07, 0.0)
    ]
    assert seen["clipped"] == {0.25}
    assert seen["types"] == {torch.bfloat16}
    counts = seen["trainer"].train_dataset.label_counts(len(LABELS))
    weights = class_weights(training_config, counts)
    assert len(set(weights)) > 1
    for logits, labels, loss, _ in seen["losses"]:
        expected = functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), torch.from_numpy(weights).float(),
            ignore_index=IGNORE_INDEX, label_smoothing=0.1, reduction="sum",
        ) / (counts.sum() / steps)  # fmt: skip
        assert loss == pytest.approx(float(expected), rel=1e-4)


def place_of(name):
    """Where a weight stands: in the head, in a layer by its number, or beside."""
    layer = re.search(r"\.(?:layer|block)\.(\d+)\.", name)
    return "head" if name.startswith("classifier.") else f"layer {layer[1]}" if layer else "rest"


SCHEDULES = (
    {"lr_schedule": "linear", "warmup_ratio": 0.3},
    {"lr_schedule": "cosine", "warmup_epochs": 2},
    {"lr_schedule": "cosine_with_restarts", "lr_cycles": 2, "warmup_steps": 4},
    {"lr_schedule": "constant", "warmup_steps": 5},
    {"lr_schedule": "exponential", "lr_gamma": 0.5, "warmup_ratio": 0.2},
    {"lr_schedule": "hybrid", "cooldown_epochs": 2, "warmup_epochs": 1},
)


@pytest.mark.parametrize("hyperparameters", SCHEDULES, ids=lambda each: each["lr_schedule"])
def test_the_optimizer_follows_every_schedule(folder, encoded, monkeypatch, hyperparameters):
    training_config = TrainingConfig(
        learning_rate=1e-3, epochs=4, batch_size=24, evals_per_epoch=1, **hyperparameters
    )
    said = dict.fromkeys(("f1", "precision", "recall", "accuracy", "loss"), 0.5)
    monkeypatch.setattr("hpo.training.dev_evaluator.DevEvaluator.evaluate", lambda *args: said)
    _, seen = watched_run(folder, encoded, monkeypatch, training_config, learn=False)
    pace = len(seen["rates"]) // 4
    timeline = TrainingSteps.of(training_config, pace)
    assert seen["rates"] == [
        pytest.approx([1e-3 * lr_multiplier(training_config, timeline, step)] * 2) for step in range(4 * pace)
    ]
    rise = math.ceil(
        training_config.warmup_ratio * 4 * pace
        or training_config.warmup_epochs * pace
        or training_config.warmup_steps
    )  # the warm-up really warms, in whichever form it is given
    assert rise >= 2
    rising = [rates[0] for rates in seen["rates"][:rise]]
    assert rising == pytest.approx([1e-3 * step / rise for step in range(rise)])


def test_a_run_ends_when_its_patience_does(folder, encoded, monkeypatch):
    hyperparameters = {"epochs": 5, "batch_size": 30, "evals_per_epoch": 1, "patience": 2}
    stops = TrainingConfig(**hyperparameters, min_delta=50, early_stopping_metric="loss")
    continues = TrainingConfig(**hyperparameters, learning_rate=1e-3, early_stopping_metric="loss")
    assert len(watched_run(folder, encoded, monkeypatch, stops, learn=False)[0]) == 3
    assert len(watched_run(folder, encoded, monkeypatch, continues)[0]) > 3


@pytest.mark.parametrize("restarts", [True, False])
def test_an_adaptive_run_cools_down_and_comes_back(folder, encoded, monkeypatch, restarts):
    training_config = TrainingConfig(
        learning_rate=1e-3, epochs=9, batch_size=30, evals_per_epoch=1, lr_schedule="adaptive", patience=1,
        cooldown_epochs=3, cooldown_restarts=restarts, early_stopping_metric="loss",
    )  # fmt: skip
    losses = iter([3.0, 4.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    said = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.5}
    monkeypatch.setattr(
        "hpo.training.dev_evaluator.DevEvaluator.evaluate", lambda *args: said | {"loss": next(losses)}
    )
    measured, seen = watched_run(folder, encoded, monkeypatch, training_config, learn=False)
    pace = len(seen["rates"]) // len(measured)
    at = [rates[0] for rates in seen["rates"]]
    assert at[2 * pace] == pytest.approx(1e-3) and at[3 * pace - 1] < 1e-3  # cools down after epoch 2
    assert (at[3 * pace] == pytest.approx(1e-3)) == restarts
    assert len(measured) == (7 if restarts else 5)


@shapes
def test_layers_and_head_learn_as_fast_as_they_are_told(family, folder, shape):
    training_config = TrainingConfig(
        learning_rate=1e-3, layerwise_decay=0.5, head_lr_multiplier=10, weight_decay=0.1, **SHAPES[shape]
    )
    model = build_model(folder, LABELS, 0, training_config, 1)
    check_model_supports(model, training_config)
    freeze_layers(model, training_config)
    groups = parameter_groups(model, training_config, [name for name, _ in model.named_parameters()])
    names = {id(weight): name for name, weight in model.named_parameters()}
    rates = {names[id(w)]: group["lr"] for group in groups for w in group["params"]}
    assert set(rates) == {name for name, weight in model.named_parameters() if weight.requires_grad}
    by_place = {}
    for name, rate in rates.items():
        by_place.setdefault(place_of(name), set()).add(rate)
    assert by_place.pop("head") == {1e-2}
    assert by_place.pop("layer 1") == {1e-3} and by_place.pop("layer 0") == {5e-4}
    assert by_place.pop("rest", {2.5e-4}) <= {2.5e-4, 1e-3}  # embeddings, and a norm behind the last layer
    assert ("lora" in shape) == all("lora_" in name or "classifier" in name for name in rates)


@shapes
def test_frozen_layers_are_not_trained(family, folder, encoded, monkeypatch, shape):
    training_config = TrainingConfig(
        learning_rate=1e-2, frozen_layers=1, epochs=1, batch_size=30, evals_per_epoch=1,
        lr_schedule="constant", **SHAPES[shape],
    )  # fmt: skip
    fresh = dict(build_model(folder, LABELS, 0, training_config, 1).named_parameters())
    _, seen = watched_run(folder, encoded, monkeypatch, training_config)
    moved = {
        name
        for name, weight in seen["trainer"].model.named_parameters()
        if not torch.equal(weight, fresh[name])
    }
    assert {place_of(name) for name in moved} - {"rest"} == {"layer 1", "head"}
    assert all("norm" in name.lower() for name in moved if place_of(name) == "rest")  # behind the last layer


def test_more_frozen_layers_than_there_are_is_refused_whatever_the_head(folder):
    for hyperparameters in SHAPES.values():
        training_config = TrainingConfig(frozen_layers=3, **hyperparameters)
        with pytest.raises(UserError, match=r"frozen_layers: must (not be over|be at most) .*\(got 3"):
            check_model_supports(build_model(folder, LABELS, 0, training_config, 1), training_config)


@pytest.mark.parametrize(
    ("frozen", "rule"),
    [(-1, "freezes only what LoRA does not train anyway"), (2, "freezes every LoRA adapter")],
)
def test_frozen_layers_that_are_all_or_nothing_to_lora_are_refused(folder, frozen, rule):
    training_config = TrainingConfig(frozen_layers=frozen, **LORA)
    with pytest.raises(UserError) as caught:
        check_model_supports(build_model(folder, LABELS, 0, training_config, 1), training_config)
    assert str(caught.value) == f"frozen_layers: {rule} (got {frozen}; leave one of the two out)"
    check_model_supports(
        build_model(folder, LABELS, 0, TrainingConfig(), 1), TrainingConfig(frozen_layers=frozen)
    )


@pytest.mark.parametrize("shape", ["plain", "lora", "lora, pooled"])
def test_checkpointing_and_accumulation_change_no_gradient(family, folder, encoded, monkeypatch, shape):
    still = {"hidden_dropout": 0.0} | ({} if family in ("t5", "byt5") else {"attention_dropout": 0.0})
    common = {"learning_rate": 1e-2, "epochs": 1, "batch_size": 30, "evals_per_epoch": 1} | SHAPES[shape]
    calls = []
    called = checkpoint.checkpoint
    counted = lambda *args, **kwargs: calls.append(1) or called(*args, **kwargs)  # noqa: E731

    def run(**hyperparameters):
        calls.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("transformers.modeling_utils.checkpoint", counted)
            measured, seen = watched_run(folder, encoded, patch, TrainingConfig(**common, **hyperparameters))
        return measured[-1], dict(seen["trainer"].model.named_parameters()), len(calls)

    kept, weights, none = run()
    again, also, some = run(gradient_checkpointing=True)
    assert none == 0 and some >= 2 * 2  # each of two layers at each of two steps, its dropout drawn alike
    assert (again.train_loss, again.loss) == (kept.train_loss, kept.loss)
    assert all(torch.equal(weight, also[name]) for name, weight in weights.items())
    fresh = dict(build_model(folder, LABELS, 0, TrainingConfig(**common), 1).named_parameters())
    learned = {name for name, weight in also.items() if not torch.equal(weight, fresh[name])}
    if "lora" in shape:
        assert {name for name in also if "lora_B" in name} <= learned  # adapters have gradients
        assert learned <= {n for n in also if "lora_" in n} | {"classifier.weight", "classifier.bias"}
    if shape != "lora":
        return
    whole, _, _ = run(**still)
    parts, _, _ = run(**still, gradient_checkpointing=True, accumulation_steps=3)
    assert parts.train_loss == pytest.approx(whole.train_loss, rel=1e-4)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-3)


@pytest.mark.parametrize("scheme, outputs", [("plain", 3), ("bilou", 9)])
def test_a_model_learns_the_labels_of_the_scheme(folder, encoded, monkeypatch, scheme, outputs):
    training_config = TrainingConfig(
        epochs=1, batch_size=30, evals_per_epoch=1, label_scheme=scheme, pooling="mean"
    )
    measured, seen = watched_run(folder, encoded, monkeypatch, training_config)
    assert seen["trainer"].model.classifier.out_features == outputs and len(measured) == 1
    assert max(int(labels.max()) for _, labels, *_ in seen["losses"]) == outputs - 1


def test_windows_and_context_are_as_long_as_they_are_told(own_tokenizer, sentences, tmp_path):
    longest, carried = {}, {}
    for name, (length, context) in {"short": (12, 0), "long": (96, 0), "read around": (96, 12)}.items():
        folder = tmp_path / name
        folder.mkdir()
        options = EncodingOptions(max_length=length, seed=1, context=context)
        split = write_corpus(folder, {"train": sentences[:40]}, LABELS, own_tokenizer, options).split("train")
        sizes = np.diff(split.window_offsets)
        assert sizes.max() <= length
        longest[name], carried[name] = int(sizes.max()), int((split.tokens < 0).sum())
    assert longest["short"] <= 12 < longest["long"]
    assert carried["read around"] > carried["long"]
