"""A card says how its model is loaded, and by what it is not."""

import pytest

from hpo.reporting.cards import _use
from hpo.training.recipe import Recipe


@pytest.mark.parametrize("alignment, strategy", [("first", "first"), ("all", "simple")])
def test_a_familys_own_model_is_for_the_pipeline(alignment, strategy):
    said = _use(Recipe(label_alignment=alignment))
    assert f'pipeline("ner", "path/to/this/folder", aggregation_strategy="{strategy}")' in said
    assert "neighbouring" not in said


def test_a_pooled_model_is_not():
    said = _use(Recipe(pooling="first-last"))
    assert "(first-last)" in said and "`pipeline` does not load it" in said and "import" not in said


def test_context_that_the_pipeline_does_not_give_is_told():
    assert "with 64 subtokens of neighbouring sentences" in _use(Recipe(context=64))
