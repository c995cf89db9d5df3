"""Encoded sentences keep every label at its token, in every form and for every maximum length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import label_names
from hpo.corpora.variants import FORMS, VARIANTS, arrange, compose, form
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.encoded_split import load, store
from hpo.encoding.sentence_encoder import EncodingOptions, encode_sentences
from hpo.encoding.windows import UNSCORED

TYPES = ("person", "place")
LABEL_IDS = {name: number for number, name in enumerate(label_names(TYPES))}


def encode(sentences, tokenizer, max_length, context=0):
    return encode_sentences(sentences, LABEL_IDS, tokenizer, EncodingOptions(max_length, 1, context))


def rows_of(split, encoding):
    rows = np.flatnonzero(split.window_encodings == encoding)
    return [split.ids[split.window_offsets[row] : split.window_offsets[row + 1]].tolist() for row in rows]


def test_window_ids_equal_the_tokenizers_output_for_each_form(sentences, tokenizer):
    split = encode(sentences, tokenizer, max_length=256)
    for index, name in enumerate(FORMS):
        for number, sentence in enumerate(sentences):
            words = list(form(sentence, name).tokens)
            expected = tokenizer([words], is_split_into_words=True)["input_ids"]
            assert rows_of(split, split.forms[index, number]) == expected


def test_subtoken_tokens_equal_the_tokenizers_word_ids(sentences, tokenizer):
    split = encode(sentences, tokenizer, max_length=256)
    for number, sentence in enumerate(sentences):
        row = int(np.flatnonzero(split.window_encodings == split.forms[0, number])[0])
        tokens = split.tokens[split.window_offsets[row] : split.window_offsets[row + 1]]
        words = tokenizer([list(sentence.tokens)], is_split_into_words=True).word_ids(0)
        expected = [UNSCORED if word is None else split.sentence_offsets[number] + word for word in words]
        assert tokens.tolist() == expected


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x250), min_size=1, max_size=12)
SENTENCES = st.lists(
    st.lists(st.tuples(WORDS, st.sampled_from(sorted(LABEL_IDS))), min_size=1, max_size=25),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(drawn=SENTENCES, max_length=st.integers(8, 24))
def test_every_token_is_scored_once_for_any_maximum_length(tokenizer, drawn, max_length):
    sentences = [
        Sentence(tuple(word for word, _ in pairs), tuple(label for _, label in pairs), str(number))
        for number, pairs in enumerate(drawn)
    ]
    split = encode(sentences, tokenizer, max_length=max_length)
    assert np.diff(split.window_offsets).max() <= max_length
    encoding_of = np.repeat(split.window_encodings, np.diff(split.window_offsets))
    first = split.first_subtokens()
    for encoding, sentence in enumerate(split.encoding_sentences):
        owned = split.tokens[first & (encoding_of == encoding)]
        start, stop = split.sentence_offsets[sentence], split.sentence_offsets[sentence + 1]
        assert owned.tolist() == list(range(start, stop))


def test_continued_window_begins_with_unscored_context(tokenizer):
    sentence = Sentence(("walked",) * 40, ("O",) * 40, "long")
    split = encode([sentence], tokenizer, max_length=16)
    second = split.tokens[split.window_offsets[1] : split.window_offsets[2]]
    assert second[1] == UNSCORED and split.ids[split.window_offsets[1] + 1] != tokenizer.cls_token_id


def test_forms_with_equal_subtokens_share_one_encoding(tokenizer):
    plain = Sentence(("walked", "home"), ("O", "O"), "1")
    named = Sentence(("Ada", "walked"), ("B-person", "O"), "2")
    both = Sentence(("Today", "Ada"), ("O", "B-person"), "3")
    forms = encode([plain, named, both], tokenizer, max_length=64).forms
    cased, uncased, lowered = (forms[FORMS.index(name)] for name in ("cased", "uncased", "ne-lower"))
    assert cased[0] == uncased[0] == lowered[0]
    assert cased[1] != uncased[1] == lowered[1]
    assert len({cased[2], uncased[2], lowered[2]}) == 3


def test_lower_casing_tokenizer_gives_one_encoding_per_sentence(sentences, tokenizer):
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = tokenizers.Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    lowering = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    plain = [sentence for sentence in sentences if "İzmirli" not in sentence.tokens]
    split = encode(plain, lowering, max_length=64)
    assert len(split.encoding_sentences) == len(plain)


@pytest.mark.parametrize("word", ["\u00ad", "\u200b", "\x07"])
def test_word_removed_by_the_normalizer_keeps_its_label(tokenizer, word):
    split = encode([Sentence(("Ada", word), ("O", "B-person"), "1")], tokenizer, max_length=64)
    assert split.first_subtokens().sum() == 2 * len(split.encoding_sentences)


def test_stored_split_loads_unchanged(tmp_path, sentences, tokenizer):
    split = encode(sentences, tokenizer, max_length=12)
    store(split, tmp_path, "train")
    again = load(tmp_path, "train")
    for name in vars(split):
        assert np.array_equal(getattr(split, name), getattr(again, name)), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_stored_draw_gives_the_variant_of_the_sentences(corpus, sentences, variant):
    split = corpus.split("train")
    stored, direct = arrange(variant, split.drawn), compose(variant, sentences, 42)
    assert np.array_equal(stored.forms, direct.forms)
    assert np.array_equal(stored.sentences, direct.sentences)


def test_encoded_corpus_opens_from_its_folder(corpus):
    again = EncodedCorpus.open(corpus.folder)
    assert again == corpus
    assert again.types == TYPES
    assert again.splits == ("train", "dev", "test")
