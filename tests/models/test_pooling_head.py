"""The pooling head pools the subtokens of each token, in training and when loaded from disk."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from hpo.config.training_config import TrainingConfig
from hpo.encoding.tokenizers import load_tokenizer, longest_window
from hpo.encoding.window_dataset import IGNORE_INDEX, WindowDataset
from hpo.errors import UserError
from hpo.evaluation.checkpoint_scores import score_split
from hpo.models.build import build_model
from hpo.models.checkpoints import load_checkpoint
from hpo.models.pooling_head import PooledConfig, pool
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train

POOLINGS = ("last", "mean", "first-last")
WORDS = torch.tensor([[-1, 1, 1, 1, 4, 5, 5, -1], [0, -1, 2, 2, -1, -1, -1, -1]])
SPANS = {(0, 1): (1, 3), (0, 4): (4, 4), (0, 5): (5, 6), (1, 0): (0, 0), (1, 2): (2, 3)}
"""First and last subtoken of each token, by row and first subtoken."""


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pool_combines_the_subtokens_of_each_token(pooling):
    hidden = torch.randn(2, 8, 5)
    pooled = pool(hidden, WORDS, pooling)
    for (row, place), (first, last) in SPANS.items():
        expected = {
            "last": hidden[row, last],
            "mean": hidden[row, first : last + 1].mean(0),
            "first-last": torch.cat([hidden[row, first], hidden[row, last]]),
        }[pooling]
        assert torch.allclose(pooled[row, place], expected), (row, place)


def test_window_dataset_gives_token_starts_for_pooling(encoded):
    split = encoded.split("train")
    rows = WindowDataset(
        split, np.arange(len(split.encoding_sentences)), encoded.pad_id, "first", pooled=True
    )
    batch = rows.__getitems__([0, 1, 2, len(rows) - 1])
    words, labels = batch["token_starts"], batch["labels"]
    columns = torch.arange(words.shape[1])
    assert torch.equal(labels != IGNORE_INDEX, words == columns)  # a label at each token's first subtoken
    assert (words[batch["attention_mask"] == 0] == -1).all()
    for line, row in enumerate([0, 1, 2, len(rows) - 1]):
        tokens = split.tokens[split.window_offsets[row] : split.window_offsets[row + 1]]
        for column, token in enumerate(tokens):
            expected = -1 if token < 0 else int(np.flatnonzero(tokens == token)[0])
            assert words[line, column] == expected


def test_window_dataset_without_pooling_has_no_token_starts(encoded):
    rows = WindowDataset(encoded.split("train"), np.arange(3), encoded.pad_id, "first")
    assert sorted(rows.__getitems__([0, 1])) == ["attention_mask", "input_ids", "labels"]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooled_logits_equal_the_classifier_of_pooled_states(folder, encoded, pooling):
    model = build_model(folder, encoded.label_names, 0, TrainingConfig(pooling=pooling), 1).eval()
    split = encoded.split("dev")
    batch = WindowDataset(split, np.arange(4), encoded.pad_id, "first", pooled=True).__getitems__(
        [0, 1, 2, 3]
    )
    with torch.no_grad():
        output = model(**batch)
        hidden = model.encoder(batch["input_ids"], attention_mask=batch["attention_mask"])[0]
        for row in range(4):
            words = batch["token_starts"][row]
            for first in set(words.tolist()) - {-1}:
                states = hidden[row][words == first]
                read = {"last": states[-1], "mean": states.mean(0),
                        "first-last": torch.cat([states[0], states[-1]])}[pooling]  # fmt: skip
                assert torch.allclose(output.logits[row, first], model.classifier(read), atol=1e-5)
    gold = batch["labels"] != IGNORE_INDEX
    expected = torch.nn.functional.cross_entropy(output.logits[gold], batch["labels"][gold])
    assert output.loss.item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.fixture(scope="module", params=POOLINGS)
def kept(request, folder, encoded, tmp_path_factory):
    """A run of a pooling: what it measured last, and the folder of what it kept."""
    target = tmp_path_factory.mktemp("kept") / "best"
    measured = []
    training_config = TrainingConfig(
        learning_rate=5e-3, epochs=2, batch_size=16, evals_per_epoch=1, pooling=request.param
    )
    train(
        TrainingTask(
            training_config=training_config, corpus=encoded.folder, model=folder, train_on="cased", seed=1
        ),
        TrainingCallbacks(
            lambda measurement: measured.append(measurement) or True, lambda measurement: target
        ),
    )
    return max(measured, key=lambda each: each.sort_key), measured, target


def test_pooled_model_scores_from_disk_as_in_training(kept, encoded):
    best, measured, target = kept
    assert measured[1].train_loss < measured[0].train_loss
    assert score_split(load_checkpoint(target), encoded, "dev")["cased"].f1 == best.f1


def test_pooled_model_type_is_unknown_to_the_pipeline(kept):
    kind = json.loads((kept[2] / "config.json").read_text())["model_type"]
    assert kind == PooledConfig.model_type and kind not in CONFIG_MAPPING_NAMES


def test_pooled_configuration_has_labels_and_family(kept, family):
    config = AutoConfig.from_pretrained(kept[2])
    assert isinstance(config, PooledConfig) and config.label2id["B-person"] == 1
    assert config.tagger["model_type"] == {"byt5": "t5"}.get(family, family)


def test_pooled_folder_has_tokenizer_and_window_of_its_family(kept, encoded, folder, tmp_path):
    _, _, target = kept
    shutil.copytree(target, tmp_path / "whole")
    shutil.copytree(encoded.tokenizer, tmp_path / "whole", dirs_exist_ok=True)
    tokenizer = load_tokenizer(str(tmp_path / "whole"))
    assert type(tokenizer) is type(load_tokenizer(folder))
    own = load_tokenizer(folder)
    assert longest_window(own, str(tmp_path / "whole")) == longest_window(own, folder)


def test_build_model_from_pooled_folder_raises_user_error(kept, encoded):
    _, _, target = kept
    with pytest.raises(UserError, match=r"model: cannot be trained further .*its head has pooling"):
        build_model(str(target), encoded.label_names, 0, TrainingConfig(), 1)
