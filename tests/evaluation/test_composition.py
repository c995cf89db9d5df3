"""Tests that scores composed from forms equal those of the variant written out."""

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# seqeval is the reference implementation.
from seqeval.metrics import f1_score, precision_score, recall_score

from hpo.corpora import spans, variants
from hpo.corpora.sentences import Sentence
from hpo.corpora.variants import FORMS, VARIANTS
from hpo.evaluation.composition import compose_scores, score_variants

DATA = Path(os.environ.get("HPO_SHARED_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
TYPES = ("PER", "ORG", "LOC")
LABELS = spans.label_names(TYPES)
SEED = 7

Labels = tuple[str, ...]
Predictions = dict[tuple[str, ...], Labels]
"""Stands for a model: maps tokens to labels, so that forms with the same text get the same labels."""


@st.composite
def a_model_on_sentences(draw: st.DrawFn) -> tuple[list[Sentence], Predictions]:
    sentences = []
    for place in range(draw(st.integers(1, 6))):
        pairs = draw(
            st.lists(st.tuples(st.sampled_from("AbÅ"), st.sampled_from(LABELS)), min_size=1, max_size=5)
        )
        tokens, labels = zip(*pairs, strict=True)
        sentences.append(Sentence(tokens, labels, id=f"s{place}"))
    predictions = {
        tokens: tuple(draw(st.sampled_from(LABELS)) for _ in tokens) for tokens in _distinct(sentences)
    }
    return sentences, predictions


def _distinct(sentences: list[Sentence]) -> list[tuple[str, ...]]:
    return sorted({variants.form(one, name).tokens for one in sentences for name in FORMS})


def _every_form(sentences: list[Sentence], predictions: Predictions) -> tuple[spans.SpanCounts, np.ndarray]:
    """Score each form of each sentence separately, even if some have the same text."""
    forms = [variants.form(one, name) for name in FORMS for one in sentences]
    form_index = np.arange(len(forms)).reshape(len(FORMS), len(sentences))
    return _counts(forms, predictions), form_index


def _distinct_forms(
    sentences: list[Sentence], predictions: Predictions
) -> tuple[spans.SpanCounts, np.ndarray]:
    """Score forms of a sentence with the same text once."""
    scored: list[Sentence] = []
    form_index = np.empty((len(FORMS), len(sentences)), dtype=np.int32)
    for place, sentence in enumerate(sentences):
        numbers: dict[tuple[str, ...], int] = {}
        for row, name in enumerate(FORMS):
            one = variants.form(sentence, name)
            if one.tokens not in numbers:
                numbers[one.tokens] = len(scored)
                scored.append(one)
            form_index[row, place] = numbers[one.tokens]
    return _counts(scored, predictions), form_index


def _counts(sentences: list[Sentence], predictions: Predictions) -> spans.SpanCounts:
    gold, offsets = spans.encode([one.labels for one in sentences], TYPES)
    predicted, _ = spans.encode([predictions[one.tokens] for one in sentences], TYPES)
    return spans.count(gold, predicted, offsets, len(TYPES))


def _assert_equal_to_seqeval(sentences: list[Sentence], predictions: Predictions) -> None:
    for scoring in (_every_form, _distinct_forms):
        counts, form_index = scoring(sentences, predictions)
        composed = score_variants(variants.draw(sentences, SEED), counts, form_index, TYPES)
        assert tuple(composed) == VARIANTS
        for variant, scores in composed.items():
            written = variants.apply(variant, sentences, SEED)
            gold = [list(one.labels) for one in written]
            predicted = [list(predictions[one.tokens]) for one in written]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert scores.f1 == f1_score(gold, predicted)
                assert scores.precision == precision_score(gold, predicted)
                assert scores.recall == recall_score(gold, predicted)
            assert scores == spans.score(_counts(list(written), predictions).by_type(), TYPES)


@settings(max_examples=40)
@given(a_model_on_sentences())
def test_score_variants_on_random_sentences_equals_seqeval(case):
    _assert_equal_to_seqeval(*case)


def test_compose_scores_with_identical_forms_scores_them_once():
    plain = Sentence(("hon", "log"), ("O", "O"), id="a")
    named = Sentence(("Hon", "Åsa"), ("O", "B-PER"), id="b")
    predictions = dict.fromkeys(_distinct([plain, named]), ("O", "B-PER"))
    counts, form_index = _distinct_forms([plain, named], predictions)
    assert (counts.n_sentences, form_index.tolist()) == (4, [[0, 1], [0, 2], [0, 3]])
    both = variants.compose("uncased-cased-both", [plain, named], SEED)
    scores = compose_scores(both, counts, form_index, TYPES)
    assert (scores.correct, scores.predicted, scores.gold) == (2, 4, 2)


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("uner_english_ewt/en_ewt-ud-dev.iob2", (1, 2)),
        ("uner_swedish_talbanken/sv_talbanken-ud-test.iob2", (1, 2)),
    ],
)
def test_score_variants_on_a_real_corpus_equals_seqeval(file, columns):
    path = DATA / file
    if not path.is_file():
        pytest.skip(f"no shared corpora in {DATA}; set HPO_SHARED_DATA to their folder")
    sentences = _read(path, columns)[:250]
    assert sum(label.startswith("B-") for one in sentences for label in one.labels) > 20
    noise = random.Random(1)
    predictions = {
        variants.form(one, name).tokens: tuple(
            noise.choice(LABELS) if noise.random() < 0.15 else label for label in one.labels
        )
        for one in sentences
        for name in FORMS
    }
    _assert_equal_to_seqeval(sentences, predictions)


def _read(path: Path, columns: tuple[int, int]) -> list[Sentence]:
    sentences = []
    for block in path.read_text("utf-8").strip("\n").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if not line.startswith("# ")]
        tokens, labels = (tuple(row[column] for row in rows) for column in columns)
        sentences.append(Sentence(tokens, labels))
    return sentences
