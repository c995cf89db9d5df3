"""Models are built from folders: a head of another size is initialized, other mismatches are errors."""

import json

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification

from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError
from hpo.models.build import build_model, count_parameters

NAMES = ("O", "B-a", "I-a")


@pytest.fixture
def folder(tmp_path):
    """The folder of a small model with five labels."""
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, num_labels=5,
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(str(tmp_path))
    return tmp_path


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_build_model_with_other_labels_initializes_the_head_from_the_seed(folder):
    models = [build_model(str(folder), NAMES, 40, TrainingConfig(), seed) for seed in (1, 1, 2)]
    first, again, other = (model.classifier.weight for model in models)
    assert first.shape == (3, 16)
    assert torch.equal(first, again) and not torch.equal(first, other)
    held = BertForTokenClassification.from_pretrained(str(folder)).bert.state_dict()
    assert all(torch.equal(held[name], value) for name, value in models[2].bert.state_dict().items())


def test_build_model_with_mismatched_weights_raises_user_error(folder):
    configure(folder, vocab_size=41)
    with pytest.raises(
        UserError, match=r"do not match its configuration.*word_embeddings\.weight has shape \(40, 16\)"
    ):
        build_model(str(folder), NAMES, 40, TrainingConfig(), 1)


def test_build_model_with_broken_weights_raises_user_error(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="model: cannot be loaded"):
        build_model(str(folder), NAMES, 40, TrainingConfig(), 1)


@pytest.mark.parametrize(
    "changes", [{"hidden_size": "wide"}, {"hidden_act": "none"}, {"num_attention_heads": 3}]
)
def test_broken_configuration_raises_user_error(folder, changes):
    configure(folder, **changes)
    with pytest.raises(UserError, match="model: cannot be loaded"):
        count_parameters(str(folder))
