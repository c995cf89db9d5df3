"""Per-layer learning rates, freezing and gradient checkpointing work in every model family."""

import re

import pytest
import torch
from torch.utils import checkpoint

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.errors import UserError
from hpo.models.build import build_model
from hpo.training.optimizer import check_model_supports, freeze_layers, parameter_groups

LABELS = label_names(("person", "place"))
LORA = {"lora_r": 4, "lora_targets": "query, key"}
SHAPES = {
    "plain": {},
    "lora": LORA,
    "pooled": {"pooling": "mean"},
    "lora, pooled": LORA | {"pooling": "first-last"},
}
shapes = pytest.mark.parametrize("shape", SHAPES)


def part_of_model(name):
    """Return the part of the model that a weight belongs to: head, layer by number, or rest."""
    layer = re.search(r"\.(?:layer|block)\.(\d+)\.", name)
    return "head" if name.startswith("classifier.") else f"layer {layer[1]}" if layer else "rest"


@shapes
def test_learning_rates_of_every_family_differ_by_layer_and_head(family, folder, shape):
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
        by_place.setdefault(part_of_model(name), set()).add(rate)
    assert by_place.pop("head") == {1e-2}
    assert by_place.pop("layer 1") == {1e-3} and by_place.pop("layer 0") == {5e-4}
    assert by_place.pop("rest", {2.5e-4}) <= {2.5e-4, 1e-3}  # embeddings, and a norm behind the last layer
    assert ("lora" in shape) == all("lora_" in name or "classifier" in name for name in rates)


@shapes
def test_frozen_layers_of_every_family_are_not_trained(family, folder, encoded, run_and_record, shape):
    training_config = TrainingConfig(
        learning_rate=1e-2, frozen_layers=1, epochs=1, batch_size=30, evals_per_epoch=1,
        lr_schedule="constant", **SHAPES[shape],
    )  # fmt: skip
    fresh = dict(build_model(folder, LABELS, 0, training_config, 1).named_parameters())
    _, seen = run_and_record(folder, encoded, training_config)
    moved = {
        name
        for name, weight in seen["trainer"].model.named_parameters()
        if not torch.equal(weight, fresh[name])
    }
    assert {part_of_model(name) for name in moved} - {"rest"} == {"layer 1", "head"}
    assert all(
        "norm" in name.lower() for name in moved if part_of_model(name) == "rest"
    )  # behind the last layer


def test_frozen_layers_above_the_layer_count_raise_user_error(folder):
    for hyperparameters in SHAPES.values():
        training_config = TrainingConfig(frozen_layers=3, **hyperparameters)
        with pytest.raises(
            UserError, match=r"frozen_layers: must be at most the number of layers of the model, 2 \(got 3"
        ):
            check_model_supports(build_model(folder, LABELS, 0, training_config, 1), training_config)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [(-1, "freezes only weights that LoRA does not train anyway"), (2, "freezes every LoRA adapter")],
)
def test_frozen_layers_without_effect_under_lora_raise_user_error(folder, frozen, message):
    training_config = TrainingConfig(frozen_layers=frozen, **LORA)
    with pytest.raises(UserError) as caught:
        check_model_supports(build_model(folder, LABELS, 0, training_config, 1), training_config)
    assert str(caught.value) == f"frozen_layers: {message} (got {frozen}; remove frozen_layers or LoRA)"
    check_model_supports(
        build_model(folder, LABELS, 0, TrainingConfig(), 1), TrainingConfig(frozen_layers=frozen)
    )


@pytest.mark.parametrize("shape", ["plain", "lora", "lora, pooled"])
def test_gradient_checkpointing_and_accumulation_do_not_change_training(
    family, folder, encoded, run_and_record, shape
):
    still = {"hidden_dropout": 0.0} | ({} if family in ("t5", "byt5") else {"attention_dropout": 0.0})
    common = {"learning_rate": 1e-2, "epochs": 1, "batch_size": 30, "evals_per_epoch": 1} | SHAPES[shape]
    calls = []
    called = checkpoint.checkpoint
    counted = lambda *args, **kwargs: calls.append(1) or called(*args, **kwargs)  # noqa: E731

    def run(**hyperparameters):
        calls.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("transformers.modeling_utils.checkpoint", counted)
            measured, seen = run_and_record(folder, encoded, TrainingConfig(**common, **hyperparameters))
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
