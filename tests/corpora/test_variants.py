"""Case variants keep labels and token counts, and their draws do not depend on the position."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.corpora import variants
from hpo.corpora.sentences import Sentence
from hpo.errors import UserError

LABEL = st.sampled_from(["O", "O", "B-PER", "I-PER", "B-LOC"])
# Letters whose lower case is longer, depends on its place, or is missing; and half a surrogate pair.
TOKEN = st.one_of(
    st.sampled_from(["İstanbul", "ΟΔΟΣ", "t ex", "#"]),
    st.text("aAÅß\u1e9eİΣǅ中\xad \ud800", min_size=1, max_size=6),
)


@st.composite
def a_sentence(draw: st.DrawFn) -> Sentence:
    pairs = draw(st.lists(st.tuples(TOKEN, LABEL), min_size=1, max_size=6))
    tokens, labels = zip(*pairs, strict=True)
    return Sentence(tokens, labels, id=draw(st.sampled_from(["", "s1", "s2", "s3"])))


SENTENCES = st.lists(a_sentence(), max_size=8)
SEED = st.integers(-5, 2**40)
MANY = [Sentence(("Åsa", "Ek", "sprang"), ("B-PER", "I-PER", "O"), id=f"s{place}") for place in range(4000)]


def test_variants_are_in_matrix_order():
    assert variants.VARIANTS == (
        "cased",
        "uncased",
        "uncased-cased-mix",
        "uncased-cased-both",
        "ne-lower",
        "ne-lower-cased-mix",
        "ne-lower-cased-both",
    )
    assert {form for name in variants.VARIANTS for form in variants.forms_of(name)} == set(variants.FORMS)


@pytest.mark.parametrize("variant", variants.VARIANTS)
@settings(max_examples=30)
@given(sentences=SENTENCES, seed=SEED)
def test_apply_every_variant_keeps_labels_and_token_counts(variant, sentences, seed):
    layout = variants.compose(variant, sentences, seed)
    written = variants.apply(variant, sentences, seed)
    assert len(written) == len(layout.forms) == len(layout.sentences)
    assert {variants.FORMS[number] for number in layout.forms} <= set(variants.forms_of(variant))
    for sentence, number, place in zip(written, layout.forms, layout.sentences, strict=True):
        source = sentences[place]
        assert sentence.labels == source.labels and sentence.id == source.id
        assert len(sentence.tokens) == len(source.tokens)
        assert sentence == variants.form(source, variants.FORMS[number])


@pytest.mark.parametrize("name", variants.FORMS)
@given(sentence=a_sentence())
def test_form_is_idempotent(name, sentence):
    once = variants.form(sentence, name)
    assert variants.form(once, name) == once
    assert variants.form(once, "uncased") == variants.form(sentence, "uncased")


def test_form_lower_cases_all_or_entity_tokens():
    sentence = Sentence(("Åsa", "Ek", "I", "İzmir"), ("B-PER", "I-PER", "O", "B-LOC"))
    assert variants.form(sentence, "cased") is sentence
    assert variants.form(sentence, "uncased").tokens == ("åsa", "ek", "i", "i̇zmir")
    assert variants.form(sentence, "ne-lower").tokens == ("åsa", "ek", "I", "i̇zmir")
    plain = Sentence(("Hon", "log"), ("O", "O"))
    assert variants.form(plain, "ne-lower") is plain


def test_compose_both_returns_cased_then_lowered():
    layout = variants.compose("ne-lower-cased-both", MANY[:2], seed=1)
    assert [variants.FORMS[number] for number in layout.forms] == ["cased", "ne-lower"] * 2
    assert layout.sentences.tolist() == [0, 0, 1, 1]


@settings(max_examples=50)
@given(sentences=SENTENCES, seed=SEED, data=st.data())
def test_compose_subset_draws_as_full_set(sentences, seed, data):
    kept = [place for place in range(len(sentences)) if data.draw(st.booleans())]
    whole = variants.compose("uncased-cased-mix", sentences, seed)
    subset = variants.compose("uncased-cased-mix", [sentences[place] for place in kept], seed)
    assert subset.forms.tolist() == whole.forms[kept].tolist()


@settings(max_examples=50)
@given(sentences=SENTENCES, seed=SEED)
def test_compose_both_mixes_lower_same_sentences(sentences, seed):
    uncased = variants.compose("uncased-cased-mix", sentences, seed)
    ne_lower = variants.compose("ne-lower-cased-mix", sentences, seed)
    cased = variants.FORMS.index("cased")
    assert (uncased.forms == cased).tolist() == (ne_lower.forms == cased).tolist()


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_compose_mix_lowers_about_half(seed):
    forms = variants.compose("uncased-cased-mix", MANY, seed).forms
    assert 0.46 < (forms != 0).mean() < 0.54


def test_compose_different_seeds_are_independent():
    one, other = (variants.compose("uncased-cased-mix", MANY, seed).forms for seed in (1, 2))
    assert 0.46 < (one != other).mean() < 0.54


def test_compose_in_another_process_draws_the_same():
    sentence = "Sentence(('Åsa',), ('O',), id=str(n))"
    code = (
        "from hpo.corpora.sentences import Sentence\nfrom hpo.corpora import variants\n"
        f"print(variants.compose('uncased-cased-mix', [{sentence} for n in range(20)], 3).forms.tolist())"
    )
    drawn = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    sentences = [Sentence(("Åsa",), ("O",), id=str(n)) for n in range(20)]
    here = variants.compose("uncased-cased-mix", sentences, 3)
    assert drawn.strip() == str(here.forms.tolist())


@pytest.mark.parametrize("call", [variants.compose, variants.apply])
def test_compose_unknown_variant_raises_with_known_names(call):
    with pytest.raises(UserError, match=r"got 'upper'; known: cased, uncased, .*ne-lower-cased-both"):
        call("upper", MANY[:1], 0)


def test_draw_sentences_with_equal_ids_draw_independently():
    sentences = [Sentence((str(number),), ("O",), "document") for number in range(400)]
    assert 0.4 < variants.draw(sentences, 42).mean() < 0.6
