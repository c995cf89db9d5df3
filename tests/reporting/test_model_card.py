"""Tests of the usage section of the model card."""

import pytest

from hpo.config.training_config import TrainingConfig
from hpo.reporting.model_card import render_usage


def usage_of(label_set="bio", fast=True, **hyperparameters):
    return render_usage(TrainingConfig(**hyperparameters), label_set, fast)


@pytest.mark.parametrize("label_set", ["bio", "plain"])
@pytest.mark.parametrize("alignment, strategy", [("first", "first"), ("all", "simple")])
def test_render_usage_of_a_standard_model_shows_the_pipeline(alignment, strategy, label_set):
    text = usage_of(label_set, label_alignment=alignment)
    assert f'pipeline("ner", "path/to/this/folder", aggregation_strategy="{strategy}")' in text
    assert "neighbouring" not in text


@pytest.mark.parametrize(
    "hyperparameters, reason",
    [
        ({"pooling": "first-last"}, "(first-last). transformers has no such model"),
        ({"fast": False}, "does not map subtokens to words"),
        ({"label_set": "bilou"}, "merges only B- and I-"),
    ],
    ids=["pooled", "bytes", "bilou"],
)
def test_render_usage_of_an_unsupported_model_shows_hpo_predict(hyperparameters, reason):
    text = usage_of(**hyperparameters)
    assert "hpo predict path/to/this/folder" in text and reason in text
    assert "aggregation_strategy=" not in text


def test_render_usage_with_context_warns_about_the_pipeline():
    assert "with 64 subtokens of neighbouring sentences" in usage_of(context=64)
