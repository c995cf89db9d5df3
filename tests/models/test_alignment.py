"""Encoded sentences equal the output of each family's tokenizer, and labels align with its subtokens."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForTokenClassification, ByT5Tokenizer, DebertaV2Config

from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import TagFamily
from hpo.corpora.variants import FORMS, form
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.sentence_encoder import EncodingOptions, encode_sentences
from hpo.encoding.subwords import encode_words
from hpo.encoding.tokenizers import UNLIMITED, longest_window
from hpo.encoding.window_dataset import IGNORE_INDEX, label_subtokens
from hpo.encoding.windows import UNSCORED
from hpo.errors import UserError

LABELS = label_names(("person", "place"))
LABEL_IDS = {name: number for number, name in enumerate(LABELS)}
LONG = 10_000


def encode(sentences, tokenizer, max_length, context=0):
    return encode_sentences(sentences, LABEL_IDS, tokenizer, EncodingOptions(max_length, 1, context))


def tokenizer_output(tokenizer, words):
    """Return the tokenizer's ids of a sentence and the word number of each subtoken."""
    if tokenizer.is_fast:
        encoded = tokenizer([words], is_split_into_words=True)
        return encoded["input_ids"][0], encoded.word_ids(0)
    places = []
    for number, word in enumerate(words):
        places += [None] * (number > 0) + [number] * len(word.encode())
    return tokenizer(" ".join(words))["input_ids"], [*places, None]


def row_of(split, encoding):
    row = int(np.flatnonzero(split.window_encodings == encoding)[0])
    place = slice(split.window_offsets[row], split.window_offsets[row + 1])
    return split.ids[place].tolist(), split.tokens[place].tolist()


def test_window_of_every_family_equals_its_tokenizers_output(family_tokenizer, sentences):
    split = encode(sentences[:40], family_tokenizer, max_length=LONG)
    for index, name in enumerate(FORMS):
        for number, sentence in enumerate(sentences[:40]):
            ids, words = tokenizer_output(family_tokenizer, list(form(sentence, name).tokens))
            start = split.sentence_offsets[number]
            tokens = [UNSCORED if word is None else start + word for word in words]
            assert row_of(split, split.forms[index, number]) == (ids, tokens)


WORDS = st.text(st.characters(exclude_categories=("Cs", "Z", "C")), min_size=1, max_size=12)


@settings(max_examples=80)
@given(words=st.lists(WORDS, min_size=1, max_size=12))
def test_byt5_window_equals_the_encoding_of_the_joined_words(words):
    tokenizer = ByT5Tokenizer()
    split = encode([Sentence(tuple(words), ("O",) * len(words), "1")], tokenizer, max_length=LONG)
    ids, _ = row_of(split, split.forms[0, 0])
    assert ids == tokenizer(" ".join(words))["input_ids"]


def test_encode_words_for_byt5_spells_out_special_tokens():
    pieces = encode_words(ByT5Tokenizer(), ["</s>", "<pad>"])
    assert np.diff(pieces.offsets).tolist() == [4, 5]


PAIRS = st.lists(st.tuples(WORDS, st.sampled_from(LABELS)), min_size=1, max_size=20)


@settings(max_examples=25)
@given(
    drawn=st.lists(PAIRS, min_size=1, max_size=5), length=st.integers(6, 40), context=st.sampled_from([0, 9])
)
def test_every_token_of_every_family_is_scored_once_within_the_maximum_length(
    family_tokenizer, drawn, length, context
):
    sentences = [
        Sentence(tuple(word for word, _ in pairs), tuple(label for _, label in pairs), str(number))
        for number, pairs in enumerate(drawn)
    ]
    split = encode(sentences, family_tokenizer, max_length=length, context=context)
    assert np.diff(split.window_offsets).max() <= length
    encoding_of = np.repeat(split.window_encodings, np.diff(split.window_offsets))
    first = split.first_subtokens()
    for encoding, sentence in enumerate(split.encoding_sentences):
        owned = split.tokens[first & (encoding_of == encoding)]
        start, stop = split.sentence_offsets[sentence], split.sentence_offsets[sentence + 1]
        assert owned.tolist() == list(range(start, stop))


def test_label_alignment_of_every_family_begins_at_the_first_subtoken(family_tokenizer):
    tokens, labels = ("in", "Lindqvist", "Åbo", "home"), ("O", "B-person", "I-person", "O")
    split = encode([Sentence(tokens, labels, "1")], family_tokenizer, max_length=LONG)
    every, first = (label_subtokens(split, alignment) for alignment in ("all", "first"))
    assert (split.window_encodings[0], split.tokens[-1]) == (0, UNSCORED)
    cased = slice(split.window_offsets[0], split.window_offsets[1])
    trained = {}
    for token, of_all, of_first in zip(split.tokens[cased], every[cased], first[cased], strict=True):
        trained.setdefault(int(token), []).append((int(of_all), int(of_first)))
    assert set(trained.pop(UNSCORED, [])) <= {(IGNORE_INDEX, IGNORE_INDEX)}
    expected_labels = {0: (0, 0), 1: (1, 2), 2: (2, 2), 3: (0, 0)}
    for token, (begin, rest) in expected_labels.items():
        assert trained[token] == [(begin, begin), *[(rest, IGNORE_INDEX)] * (len(trained[token]) - 1)]
    assert len(trained[2]) > 1 or family_tokenizer.__class__.__name__ == "BertTokenizer"


def test_longest_window_is_limited_by_absolute_positions(family, folder, family_tokenizer):
    expected = {"bert": 512, "electra": 512, "roberta": 64, "xlm-roberta": 64}.get(family, UNLIMITED)
    assert longest_window(family_tokenizer, folder) == expected


def test_longest_window_of_deberta_with_absolute_positions_is_limited(tmp_path, family_tokenizer):
    DebertaV2Config(max_position_embeddings=64, position_biased_input=True).save_pretrained(str(tmp_path))
    assert longest_window(family_tokenizer, str(tmp_path)) == 64


def test_model_reads_the_longest_window_and_fails_on_a_longer_one(folder, family_tokenizer):
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    longest = longest_window(family_tokenizer, folder)
    ids = torch.full((1, min(longest, 600)), 7)
    assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.shape[1] == ids.shape[1]
    if longest != UNLIMITED:
        ids = torch.full((1, longest + 1), 7)
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))


def test_encode_corpus_with_exact_length_above_the_limit_raises_user_error(
    family, folder, family_tokenizer, sentences, empty_folder
):
    labels = TagFamily(
        name="f", title="f", description="f", types=("person", "place"),
        mapping={"person": "person", "place": "place"},
    )  # fmt: skip
    corpus = Corpus("c", {"train": sentences[:5]}, "0")
    longest = longest_window(family_tokenizer, folder)
    options = EncodingOptions(max_length=1024, seed=1)
    if longest == UNLIMITED:
        assert encode_corpus(corpus, labels, folder, options, exact_length=True).splits == ("train",)
        return
    with pytest.raises(UserError) as caught:
        encode_corpus(corpus, labels, folder, options, exact_length=True)
    assert str(caught.value) == (
        f"max_length: must be at most {longest}, the longest input of {folder} "
        f"(got 1024; set max_length={longest}; longer sentences are split into several windows)"
    )
    assert not list(empty_folder.iterdir())
    facts = json.loads((encode_corpus(corpus, labels, folder, options).folder / "encoding.json").read_text())
    assert facts["max_length"] == longest
    encode_corpus(corpus, labels, folder, EncodingOptions(max_length=longest, seed=1), exact_length=True)
