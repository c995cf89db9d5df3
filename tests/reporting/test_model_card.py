"""A card says how its model is put to work, and by what it is not."""

import pytest

from hpo.config.training_config import TrainingConfig
from hpo.reporting.model_card import render_usage


def said_of(label_set="bio", fast=True, **hyperparameters):
    return render_usage(TrainingConfig(**hyperparameters), label_set, fast)


@pytest.mark.parametrize("label_set", ["bio", "plain"])
@pytest.mark.parametrize("alignment, strategy", [("first", "first"), ("all", "simple")])
def test_a_familys_own_model_is_for_the_pipeline(alignment, strategy, label_set):
    said = said_of(label_set, label_alignment=alignment)
    assert f'pipeline("ner", "path/to/this/folder", aggregation_strategy="{strategy}")' in said
    assert "neighbouring" not in said


@pytest.mark.parametrize(
    "hyperparameters, why",
    [
        ({"pooling": "first-last"}, "(first-last), for which transformers has no model"),
        ({"fast": False}, "does not tell where words begin"),
        ({"label_set": "bilou"}, "puts only B- and I- together"),
    ],
    ids=["pooled", "bytes", "bilou"],
)
def test_what_the_pipeline_would_misread_is_for_our_own_command(hyperparameters, why):
    said = said_of(**hyperparameters)
    assert "hpo predict path/to/this/folder" in said and why in said
    assert "aggregation_strategy=" not in said


def test_context_that_the_pipeline_does_not_give_is_told():
    assert "with 64 subtokens of neighbouring sentences" in said_of(context=64)
