"""In every model family a hyperparameter is set in its modules, or raises an error with its name."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    ModernBertConfig,
    ModernBertForTokenClassification,
    XLNetConfig,
    XLNetForTokenClassification,
)

from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.errors import UserError
from hpo.models.build import build_model, count_parameters
from hpo.models.pooling_head import PooledTagger

LABELS = label_names(("person", "place"))
ONE_DROPOUT = ("t5", "byt5")
"""Families with one dropout for attention weights and hidden states."""


def build(folder, seed=1, **hyperparameters):
    return build_model(folder, LABELS, 0, TrainingConfig(**hyperparameters), seed)


def dropouts(model):
    """Return the dropout rates in the encoder: of attention weights, and of other modules."""
    attention, hidden = set(), set()
    for name, part in model.base_model.named_modules():
        if isinstance(part, torch.nn.Dropout):
            is_attention = name.endswith("attention.self.dropout")
            (attention if is_attention else hidden).add(part.p)
    return attention, hidden


def test_dropouts_of_every_family_are_set_in_the_modules(family, folder):
    own = {} if family in ONE_DROPOUT else {"attention_dropout": 0.21}
    model = build(folder, **own, hidden_dropout=0.17, classifier_dropout=0.33)
    attention, hidden = dropouts(model)
    assert hidden == {0.17}
    if family in ONE_DROPOUT:
        assert {part.dropout for part in model.modules() if hasattr(part, "dropout") and
                isinstance(part.dropout, float)} == {0.17}  # fmt: skip
    else:
        assert attention == {0.21}
    assert model.dropout.p == 0.33


def test_unset_classifier_dropout_keeps_the_models_value(family, folder):
    expected = 0.0 if family in ONE_DROPOUT else 0.17
    assert build(folder, hidden_dropout=0.17).dropout.p == expected


@pytest.mark.parametrize("family", ONE_DROPOUT)
def test_dropout_missing_in_a_family_raises_user_error(folders, family):
    with pytest.raises(UserError, match=r"attention_dropout: a t5 model has no such dropout \(got 0\.2;"):
        build(str(folders[family]), attention_dropout=0.2)


def test_classifier_dropout_without_module_raises_user_error(tmp_path):
    config = XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2, d_inner=16)
    XLNetForTokenClassification(config).save_pretrained(str(tmp_path))
    with pytest.raises(UserError, match=r"classifier_dropout: a xlnet model has no such dropout \(got 0\.2;"):
        build(str(tmp_path), classifier_dropout=0.2)


def test_classifier_dropout_is_saved_if_the_configuration_has_an_entry(family, folder, tmp_path):
    build(folder, classifier_dropout=0.33).save_pretrained(str(tmp_path))
    again = AutoModelForTokenClassification.from_pretrained(str(tmp_path))
    assert again.dropout.p == (0.1 if family == "deberta-v2" else 0.33)


@pytest.mark.parametrize("pooling, wide", [("last", 1), ("mean", 1), ("first-last", 2)])
def test_pooling_of_every_family_is_set_in_the_head(family, folder, pooling, wide):
    model = build(folder, pooling=pooling, hidden_dropout=0.2, classifier_dropout=0.3)
    assert isinstance(model, PooledTagger) and model.config.pooling == pooling
    assert model.classifier.in_features == wide * 32 and model.classifier.out_features == len(LABELS)
    assert model.dropout.p == 0.3 and dropouts(model)[1] == {0.2}


def test_first_pooling_keeps_the_familys_model_class(family, folder):
    model = build(folder)
    assert type(model) is type(
        AutoModelForTokenClassification.from_config(AutoConfig.from_pretrained(folder))
    )


def test_build_model_loads_the_encoder_weights_of_the_folder(family, folder):
    held = load_file(f"{folder}/model.safetensors")
    model = build(folder)
    built = model.base_model.state_dict()
    inner = {name.removeprefix(f"{model.base_model_prefix}."): weight for name, weight in held.items()}
    compared = [name for name in inner if name in built]
    assert len(compared) >= len(held) - 2  # all but the head
    assert all(torch.equal(built[name], inner[name]) for name in compared)


def test_pooling_for_a_head_with_more_parts_raises_user_error(tmp_path):
    config = ModernBertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
    )  # fmt: skip
    ModernBertForTokenClassification(config).save_pretrained(str(tmp_path))
    with pytest.raises(UserError, match=r"pooling: the head of a modernbert model supports only the first"):
        build(str(tmp_path), pooling="mean")
    assert build(str(tmp_path), classifier_dropout=0.2).drop.p == 0.2


def test_context_is_saved_in_the_model_configuration(family, folder):
    assert build(folder, context=64).config.document_context == 64
    assert not hasattr(build(folder).config, "document_context")


def test_count_parameters_equals_the_built_models_count(family, folder):
    built = build(folder)
    three = count_parameters(folder)
    fewer = 2 * (built.classifier.in_features + 1)
    assert three == sum(part.numel() for part in built.parameters()) - fewer
