"""The worked examples in the docstrings of the encoding and model packages run and are correct."""

import doctest
import importlib

import pytest

MODULES = (
    "hpo.encoding.packing",
    "hpo.encoding.ragged",
    "hpo.encoding.sentence_encoder",
    "hpo.encoding.subwords",
    "hpo.encoding.window_dataset",
    "hpo.encoding.windows",
    "hpo.encoding.word_table",
    "hpo.models.packed_attention",
    "hpo.models.pooling_head",
)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_of_module_are_correct(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
