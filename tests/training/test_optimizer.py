"""Parameter groups, frozen layers and checks of unsupported hyperparameters, on every model family."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForTokenClassification,
    BertConfig,
    BertModel,
    DebertaV2Config,
    ElectraConfig,
    RobertaConfig,
    T5Config,
)

from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.training.optimizer import check_model_supports, freeze_layers, parameter_groups
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)
LAYERS = 3
SIZES = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 32, "num_labels": 5,
}  # fmt: skip
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "electra": ElectraConfig(**SIZES, embedding_size=8),
    "deberta": DebertaV2Config(
        **SIZES, relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"], share_att_key=True,
        norm_rel_ebd="layer_norm", conv_kernel_size=3, conv_act="gelu",
    ),
    "t5": T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=LAYERS, num_heads=2, num_labels=5,
        is_encoder_decoder=False, dropout_rate=0.0,
    ),
}  # fmt: skip
LAYER = {
    "bert": "bert.encoder.layer.{}.", "roberta": "roberta.encoder.layer.{}.",
    "electra": "electra.encoder.layer.{}.", "deberta": "deberta.encoder.layer.{}.",
    "t5": "transformer.encoder.block.{}.",
}  # fmt: skip
EMBEDDINGS = {
    "bert": ("bert.embeddings.",), "roberta": ("roberta.embeddings.",),
    "electra": ("electra.embeddings.", "electra.embeddings_project."),
    "deberta": ("deberta.embeddings.", "deberta.encoder.rel_embeddings."),
    "t5": ("transformer.shared.", "transformer.encoder.embed_tokens."),
}  # fmt: skip
families = pytest.mark.parametrize("family", CONFIGS)


def build(family):
    return AutoModelForTokenClassification.from_config(CONFIGS[family])


def layer_of(family, name):
    """Return 0 for embeddings, 1 to LAYERS for layers, LAYERS for a final norm, None for the head."""
    if name.startswith("classifier."):
        return None
    if name.startswith(EMBEDDINGS[family]):
        return 0
    inside = (number + 1 for number in range(LAYERS) if name.startswith(LAYER[family].format(number)))
    return next(inside, LAYERS)


def rates_of(model, training_config):
    """Return the peak rate and weight decay of each weight by name, from a real optimizer."""
    optimizer = torch.optim.AdamW(parameter_groups(model, training_config, dict(model.named_parameters())))
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {
        names[id(weight)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for weight in group["params"]
    }


@families
@pytest.mark.parametrize("frozen", [-1, 0, 1, LAYERS])
def test_freeze_layers_excludes_the_lowest_layers_from_the_optimizer(family, frozen):
    model = build(family)
    freeze_layers(model, TrainingConfig(frozen_layers=frozen))
    for name, weight in model.named_parameters():
        layer = layer_of(family, name)
        is_frozen = frozen != 0 and layer is not None and layer <= max(0, frozen)
        assert weight.requires_grad != is_frozen, name
    assert set(rates_of(model, TrainingConfig())) == {
        name for name, weight in model.named_parameters() if weight.requires_grad
    }


@families
def test_parameter_groups_with_layerwise_decay_scale_rates_by_depth(family):
    training_config = TrainingConfig(
        learning_rate=1e-3, layerwise_decay=0.5, head_lr_multiplier=10, weight_decay=0.1
    )
    rates = rates_of(build(family), training_config)
    for name, (rate, _) in rates.items():
        layer = layer_of(family, name)
        expected = 1e-2 if layer is None else 1e-3 * 0.5 ** (LAYERS - layer)
        assert rate == pytest.approx(expected), name
    assert {layer_of(family, name) for name in rates} == {0, 1, 2, LAYERS, None}


@families
@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"head_lr_multiplier": 10}, {"layerwise_decay": 0.8}, {"layerwise_decay": 0.8, "frozen_layers": 1}],
)
def test_parameter_groups_hold_every_weight_once_and_decay_matrices_only(family, hyperparameters):
    model = build(family)
    training_config = TrainingConfig(weight_decay=0.1, **hyperparameters)
    freeze_layers(model, training_config)
    rates = rates_of(model, training_config)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert rates.keys() == trained.keys()
    assert {name for name, (_, decay) in rates.items() if decay} == {
        name for name, weight in trained.items() if weight.ndim > 1
    }
    assert {decay for _, decay in rates.values()} == {0.0, 0.1}


def test_parameter_groups_with_one_rate_equal_those_of_transformers():
    model = build("bert")
    decayed = {name for name, weight in model.named_parameters() if weight.ndim > 1}
    groups = parameter_groups(model, TrainingConfig(weight_decay=0.1), decayed)
    expected = [
        [weight for name, weight in model.named_parameters() if (name in decayed) == decays]
        for decays in (True, False)
    ]
    assert [[id(weight) for weight in group["params"]] for group in groups] == [
        [id(weight) for weight in weights] for weights in expected
    ]


@families
def test_gradient_checkpointing_gives_equal_gradients(family):
    model = build(family).eval()
    batch = {"input_ids": torch.arange(1, 13).reshape(2, 6), "labels": torch.arange(12).reshape(2, 6) % 5}
    check_model_supports(model, TrainingConfig(gradient_checkpointing=True))
    seen = []
    for enabled in (False, True):
        model.zero_grad()
        if enabled:
            model.activation_checkpointing_enable({"use_reentrant": False})
            model.train()
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        model(**batch).loss.backward()
        seen.append({n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None})
    assert seen[0].keys() == seen[1].keys() and len(seen[0]) > 10
    assert all(torch.allclose(seen[0][name], seen[1][name], atol=1e-6) for name in seen[0])


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"frozen_layers": 4}, "frozen_layers: must be at most the number of layers of the model, 3 (got 4)"),
        (
            {"precision": "fp16"},
            "precision: requires a GPU, and none is available (got 'fp16'; use auto, bf16 or off)",
        ),
    ],
)
def test_check_model_supports_with_unsupported_value_raises_one_line(hyperparameters, message, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    model = build("bert")
    with pytest.raises(UserError) as caught:
        check_model_supports(model, TrainingConfig(**hyperparameters))
    assert str(caught.value) == message
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("hyperparameters", [{"frozen_layers": 1}, {"layerwise_decay": 0.9}], ids=str)
def test_check_model_supports_with_shared_layers_rejects_layer_hyperparameters(hyperparameters):
    model = AutoModelForTokenClassification.from_config(AlbertConfig(**SIZES, embedding_size=8))
    with pytest.raises(
        UserError, match=rf"{next(iter(hyperparameters))}: a albert model has no list of layers"
    ):
        check_model_supports(model, TrainingConfig(**hyperparameters))
    check_model_supports(model, TrainingConfig(head_lr_multiplier=10))


def test_check_model_supports_without_head_rejects_head_lr_multiplier():
    with pytest.raises(UserError, match="head_lr_multiplier: a bert model has no head"):
        check_model_supports(BertModel(CONFIGS["bert"]), TrainingConfig(head_lr_multiplier=10))


def test_check_model_supports_without_checkpointing_rejects_it(monkeypatch):
    model = build("bert")
    monkeypatch.setattr(type(model), "supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match="gradient_checkpointing: a bert model does not support it"):
        check_model_supports(model, TrainingConfig(gradient_checkpointing=True))


def train_and_return_trainer(corpus, monkeypatch, training_config, resume_dir=None):
    """Run a training that stops at its first evaluation, and return its trainer."""
    seen = []
    training_step = NerTrainer.training_step

    def recording_step(self, *args, **kwargs):
        seen.append(self)
        return training_step(self, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "training_step", recording_step)
    task = TrainingTask(
        training_config=training_config,
        corpus=corpus.folder,
        model="tiny",
        train_on="cased",
        seed=1,
        resume_dir=resume_dir,
    )
    train(task, TrainingCallbacks(lambda measurement: False))
    return seen[0] if seen else None


def test_train_applies_optimizer_hyperparameters(corpus, monkeypatch):
    training_config = TrainingConfig(
        learning_rate=1e-3, frozen_layers=1, head_lr_multiplier=10, layerwise_decay=0.5, weight_decay=0.1,
        lr_schedule="constant", adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6, epochs=1,
        gradient_checkpointing=True,
    )  # fmt: skip
    trainer = train_and_return_trainer(corpus, monkeypatch, training_config)
    groups = trainer.optimizer.param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (1e-3, 0.1), (1e-2, 0.1), (1e-3, 0.0), (1e-2, 0.0)
    ]  # fmt: skip
    assert {(group["betas"], group["eps"]) for group in groups} == {((0.8, 0.95), 1e-6)}
    held = {id(weight) for group in groups for weight in group["params"]}
    lower = [*trainer.model.bert.embeddings.parameters(), *trainer.model.bert.encoder.layer[0].parameters()]
    assert not held & {id(weight) for weight in lower}
    assert all(weight.grad is None for weight in lower)
    assert trainer.model.is_activation_checkpointing


def test_train_with_frozen_layers_changes_only_the_other_weights(corpus, monkeypatch):
    training_config = TrainingConfig(learning_rate=1e-2, frozen_layers=-1, epochs=1, weight_decay=0.5)
    model = train_and_return_trainer(corpus, monkeypatch, training_config).model
    fresh = train_and_return_trainer(
        corpus, monkeypatch, training_config.model_copy(update={"learning_rate": 1e-30})
    ).model
    same = {
        name: torch.equal(weight, dict(fresh.named_parameters())[name])
        for name, weight in model.named_parameters()
    }
    assert {name for name, is_same in same.items() if is_same} == {
        name for name in same if name.startswith("bert.embeddings.")
    }


def moments_of(trainer):
    """Return the first moment of each weight by name."""
    names = {id(weight): name for name, weight in trainer.model.named_parameters()}
    held = trainer.optimizer.state.items()
    return {names[id(weight)]: state["exp_avg"].clone() for weight, state in held}


def test_train_when_resumed_with_new_rate_keeps_the_moments(corpus, monkeypatch, tmp_path):
    hyperparameters = {
        "head_lr_multiplier": 10,
        "layerwise_decay": 0.5,
        "frozen_layers": -1,
        "lr_schedule": "constant",
    }
    first = TrainingConfig(learning_rate=1e-3, epochs=2, weight_decay=0.1, **hyperparameters)
    before = moments_of(train_and_return_trainer(corpus, monkeypatch, first, resume_dir=tmp_path / "s"))
    changed = first.model_copy(update={"learning_rate": 3e-3, "weight_decay": 0.3})
    seen = {}
    prepared = NerTrainer._load_optimizer_and_scheduler

    def restored(self, checkpoint):
        prepared(self, checkpoint)
        seen["moments"] = moments_of(self)
        seen["rates"] = [(group["lr"], group["weight_decay"]) for group in self.optimizer.param_groups]

    monkeypatch.setattr(NerTrainer, "_load_optimizer_and_scheduler", restored)
    train_and_return_trainer(corpus, monkeypatch, changed, resume_dir=tmp_path / "s")
    assert seen["rates"] == [
        (pytest.approx(rate), decay) for decay in (0.3, 0.0) for rate in (1.5e-3, 3e-3, 3e-2)
    ]
    assert before.keys() == seen["moments"].keys()
    assert all(torch.equal(before[name], moment) for name, moment in seen["moments"].items())
