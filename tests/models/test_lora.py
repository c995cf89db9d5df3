"""LoRA trains its matrices and the head; the saved model is an ordinary one, with the adapter beside it."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.encoding.window_dataset import WindowDataset
from hpo.errors import UserError
from hpo.evaluation.checkpoint_scores import score_split
from hpo.inference.predict import predict
from hpo.inference.tokenize_text import tokenize_line
from hpo.models.build import build_model
from hpo.models.checkpoints import load_checkpoint
from hpo.models.lora import merged_weights
from hpo.models.pooling_head import PooledTagger
from hpo.reporting.model_card import render_usage
from hpo.training.resume import WEIGHTS
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

LABELS = label_names(("person", "place"))
QUERY_KEY = {
    "bert": ("query", "key"),
    "electra": ("query", "key"),
    "roberta": ("query", "key"),
    "xlm-roberta": ("query", "key"),
    "deberta-v2": ("query_proj", "key_proj"),
    "t5": ("q", "k"),
    "byt5": ("q", "k"),
}
LORA_CONFIG = TrainingConfig(
    learning_rate=5e-3, epochs=2, batch_size=16, evals_per_epoch=2, lora_r=4, lora_alpha=8,
    lora_dropout=0.1, lora_targets="query, key",
)  # fmt: skip


def build(folder, **hyperparameters):
    return build_model(folder, LABELS, 0, TrainingConfig(**hyperparameters), 1)


def lora_layers(model):
    return {name: part for name, part in model.named_modules() if hasattr(part, "lora_A")}


def test_lora_hyperparameters_of_every_family_are_set_in_the_modules(family, folder):
    model = build(folder, lora_r=4, lora_alpha=12, lora_dropout=0.2, lora_targets="query,key")
    layers = lora_layers(model)
    assert {name.rpartition(".")[2] for name in layers} == set(QUERY_KEY[family])
    assert len(layers) == 2 * 2  # in each of two layers
    for layer in layers.values():
        assert layer.lora_A["default"].out_features == layer.lora_B["default"].in_features == 4
        assert layer.scaling["default"] == 3.0
        assert layer.lora_dropout["default"].p == 0.2


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_lora_trains_only_its_matrices_and_the_head(folder, pooling):
    model = build(folder, lora_r=4, lora_targets="query, key", pooling=pooling)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name for name in trained if "lora_" not in name} == {"classifier.weight", "classifier.bias"}
    assert len(trained) == 2 + 2 * len(lora_layers(model))


def test_lora_targets_exist_in_every_family(folder):
    for target in ("query", "key", "value", "dense"):
        assert lora_layers(build(folder, lora_r=2, lora_targets=target)), target


def test_lora_target_dense_excludes_attention_inputs_and_head(family, folder):
    names = {name.rpartition(".")[2] for name in lora_layers(build(folder, lora_r=2, lora_targets="dense"))}
    assert not names & {*QUERY_KEY[family], "v", "value", "value_proj", "classifier"}


def test_lora_target_may_be_a_module_name(family, folder):
    layers = lora_layers(build(folder, lora_r=2, lora_targets=QUERY_KEY[family][0]))
    assert {name.rpartition(".")[2] for name in layers} == {QUERY_KEY[family][0]}


def test_lora_target_missing_in_the_model_raises_user_error(folder):
    message = r"lora_targets: a \S+ model has no such module \(got 'c_attn'; known: "
    with pytest.raises(UserError, match=message):
        build(folder, lora_r=2, lora_targets="query, c_attn")


def test_lora_rank_0_leaves_the_model_unchanged(folder):
    model = build(folder, lora_r=0, lora_targets="query")
    assert not lora_layers(model) and all(weight.requires_grad for weight in model.parameters())


def run(folder, encoded, training_config, *, state=None, reports=100, keep=lambda measurement: None):
    measured = []

    def report(measurement):
        measured.append({name: v for name, v in measurement.to_json().items() if name != "seconds"})
        return len(measured) < reports

    train(
        TrainingTask(
            training_config=training_config,
            corpus=encoded.folder,
            model=folder,
            train_on="cased",
            seed=1,
            resume_dir=state,
        ),
        TrainingCallbacks(report, keep),
    )
    return measured


@pytest.fixture(scope="module")
def learned(folder, encoded, tmp_path_factory):
    """The measurements of a run, and the folder of its best model."""
    target = tmp_path_factory.mktemp("kept") / "best"
    return run(folder, encoded, LORA_CONFIG, keep=lambda measurement: target), target


def test_saved_lora_model_is_merged_and_scores_as_in_training(learned, encoded):
    measured, target = learned
    model = load_checkpoint(target)
    assert not [name for name in model.state_dict() if "lora" in name or "base_layer" in name]
    assert score_split(model, encoded, "dev")["cased"].f1 == max(each["f1"] for each in measured)
    assert measured[-1]["train_loss"] < measured[0]["train_loss"]


def test_saved_lora_model_differs_from_the_base_model(learned, folder):
    name = next(iter(lora_layers(build(folder, lora_r=1, lora_targets="query"))))
    written, given = (
        dict(m.named_modules())[name].weight for m in (load_checkpoint(learned[1]), build(folder))
    )
    assert not torch.allclose(written, given)


def test_saved_adapter_on_the_base_model_equals_the_merged_model(learned, folder, encoded):
    _, target = learned
    adapter = target / "adapter"
    settings = json.loads((adapter / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["base_model_name_or_path"]) == (4, 8, folder)
    base = AutoModelForTokenClassification.from_pretrained(folder, num_labels=5, ignore_mismatched_sizes=True)
    adapted = PeftModel.from_pretrained(base, str(adapter)).eval()
    batch = WindowDataset(encoded.split("dev"), np.arange(4), encoded.pad_id).__getitems__([0, 1, 2, 3])
    with torch.no_grad():
        logits = [model(**batch).logits for model in (adapted, load_checkpoint(target))]
    assert torch.allclose(*logits, atol=1e-5)


@pytest.mark.parametrize("cut", [1, 3])
def test_interrupted_lora_run_resumes_exactly(learned, folder, encoded, tmp_path, cut):
    uncut, _ = learned
    state = tmp_path / "state"
    assert run(folder, encoded, LORA_CONFIG, state=state, reports=cut) == uncut[:cut]
    held = load_file(state / WEIGHTS)  # trained weights only
    model = build(folder, **LORA_CONFIG.model_dump(include={"lora_r", "lora_targets"}))
    assert set(held) == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert sum(map(torch.numel, held.values())) < sum(map(torch.numel, model.parameters())) / 4
    torch.manual_seed(999)
    assert run(folder, encoded, LORA_CONFIG, state=state) == uncut[cut:]


def test_resumed_lora_run_applies_a_changed_dropout(folder, encoded, tmp_path, monkeypatch):
    state = tmp_path / "state"
    run(folder, encoded, LORA_CONFIG, state=state, reports=1)
    seen = set()
    training_step = NerTrainer.training_step

    def looked(self, model, *args, **kwargs):
        seen.update(layer.lora_dropout["default"].p for layer in lora_layers(model).values())
        return training_step(self, model, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "training_step", looked)
    run(folder, encoded, LORA_CONFIG.model_copy(update={"lora_dropout": 0.4}), state=state, reports=1)
    assert seen == {0.4}


def test_merged_weights_leaves_the_model_unchanged(folder):
    model = build(folder, lora_r=4, lora_targets="query")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    for layer in lora_layers(model).values():
        torch.nn.init.ones_(layer.lora_B["default"].weight)
    changed = merged_weights(model)
    name, layer = next(iter(lora_layers(model).items()))
    factors = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    expected = before[f"{name}.base_layer.weight"] + factors * 4  # alpha 16 over rank 4
    assert torch.allclose(changed[f"{name}.weight"], expected, atol=1e-6)
    assert torch.equal(model.state_dict()[f"{name}.base_layer.weight"], before[f"{name}.base_layer.weight"])


def test_lora_with_pooling_head_trains_and_scores(folder, encoded, tmp_path):
    training_config = LORA_CONFIG.model_copy(update={"pooling": "mean", "epochs": 1})
    measured = run(folder, encoded, training_config, keep=lambda measurement: tmp_path / "best")
    model = load_checkpoint(tmp_path / "best")
    assert isinstance(model, PooledTagger) and not lora_layers(model)
    assert score_split(model, encoded, "dev")["cased"].f1 == max(each["f1"] for each in measured)


def test_saved_lora_model_loads_in_the_pipeline(learned, encoded, tmp_path):
    shutil.copytree(learned[1], tmp_path / "whole")
    shutil.copytree(encoded.tokenizer, tmp_path / "whole", dirs_exist_ok=True)
    tagger = pipeline("ner", str(tmp_path / "whole"), ignore_labels=[])
    words = ["today", "Ada", "Lindqvist"]
    found = tagger(" ".join(words))
    assert {each["entity"] for each in found} <= set(LABELS)
    ids = AutoTokenizer.from_pretrained(str(tmp_path / "whole"))(" ".join(words))["input_ids"]
    specials = set(AutoTokenizer.from_pretrained(str(tmp_path / "whole")).all_special_ids)
    assert len(found) == len([each for each in ids if each not in specials])


def test_saved_model_runs_as_its_model_card_describes(learned, family, encoded, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(learned[1], whole)
    shutil.copytree(encoded.tokenizer, whole, dirs_exist_ok=True)
    usage = render_usage(LORA_CONFIG, "bio", encoded.has_fast_tokenizer)
    text = "today Ada Lindqvist walked in Uppsala ."
    assert ("hpo predict" in usage) == (family == "byt5")
    if family == "byt5":
        with pytest.raises(ValueError, match="aggregation"):
            pipeline("ner", str(whole), aggregation_strategy="first")(text)
    else:
        assert 'aggregation_strategy="first"' in usage
        pipeline("ner", str(whole), aggregation_strategy="first")(text)
    (found,) = predict(whole, [tokenize_line(text, "1")])
    assert found.tokens == tuple(text.split())
    assert all(text[span.start_char : span.end_char] == span.text for span in found.spans)
