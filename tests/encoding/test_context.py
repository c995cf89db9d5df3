"""Context is text of the same document in the form of the sentence; it is read and never scored."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import load_family
from hpo.corpora.variants import FORMS, form
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.notes import long_sentence_note
from hpo.encoding.sentence_encoder import EncodingOptions, encode_sentences
from hpo.encoding.window_dataset import IGNORE_INDEX, label_subtokens
from hpo.encoding.windows import UNSCORED

TYPES = ("person", "place")
LABEL_IDS = {name: number for number, name in enumerate(label_names(TYPES))}
SPECIAL = 2


def encode(sentences, tokenizer, max_length, context=0):
    return encode_sentences(sentences, LABEL_IDS, tokenizer, EncodingOptions(max_length, 1, context))


def sentence(text, document="", labels=None):
    tokens = tuple(text.split())
    return Sentence(tokens, labels or ("O",) * len(tokens), text, None, document)


def read(split, tokenizer, number, name="cased"):
    """Return the context before, the sentence and the context after, decoded from its window."""
    row = int(np.flatnonzero(split.window_encodings == split.forms[FORMS.index(name), number])[0])
    place = slice(split.window_offsets[row], split.window_offsets[row + 1])
    ids, own = split.ids[place][1:-1], split.tokens[place][1:-1] != UNSCORED
    first, last = np.flatnonzero(own)[[0, -1]]
    assert own[first : last + 1].all()
    return tuple(map(tokenizer.decode, (ids[:first], ids[first : last + 1], ids[last + 1 :])))


TEXTS = ("Ada walked home", "Grace walked in Uppsala", "slowly home today", "today in Rose")


def test_context_includes_neighbouring_sentences_on_both_sides(tokenizer):
    sentences = [sentence(each) for each in TEXTS]
    split = encode(sentences, tokenizer, max_length=256, context=64)
    before, own, after = read(split, tokenizer, 1)
    assert (before, own, after) == (TEXTS[0], TEXTS[1], f"{TEXTS[2]} {TEXTS[3]}")


def test_context_stops_at_document_bounds(tokenizer):
    documents = ("a", "a", "b", "b")
    sentences = [sentence(text, document) for text, document in zip(TEXTS, documents, strict=True)]
    split = encode(sentences, tokenizer, max_length=256, context=64)
    assert read(split, tokenizer, 1) == (TEXTS[0], TEXTS[1], "")
    assert read(split, tokenizer, 2) == ("", TEXTS[2], TEXTS[3])


def test_context_consists_of_whole_tokens_up_to_its_size(tokenizer):
    sizes = {word: len(tokenizer([word], is_split_into_words=True)["input_ids"]) - SPECIAL
             for text in TEXTS for word in text.split()}  # fmt: skip
    sentences = [sentence(each) for each in TEXTS]
    for context in range(0, 12):
        split = encode(sentences, tokenizer, max_length=256, context=context)
        before, _, after = read(split, tokenizer, 1)
        left, right = TEXTS[0].split(), f"{TEXTS[2]} {TEXTS[3]}".split()
        for words, actual in ((left[::-1], before.split()[::-1]), (right, after.split())):
            expected, size = [], 0
            for word in words:
                size += sizes[word]
                if size > context:
                    break
                expected.append(word)
            assert actual == expected, context


def test_context_has_the_form_of_its_sentence(tokenizer):
    named = sentence("Ada walked home", labels=("B-person", "O", "O"))
    sentences = [named, sentence("slowly Rose"), named]
    split = encode(sentences, tokenizer, max_length=256, context=64)
    for name in FORMS:
        expected = tuple(" ".join(form(each, name).tokens) for each in sentences)
        assert read(split, tokenizer, 1, name) == expected
    # The sentence has no entity, but its context has one, which the forms write differently.
    assert len(set(split.forms[:, 1])) == 3


def test_forms_with_equal_context_share_one_encoding(tokenizer):
    sentences = [sentence("walked home"), sentence("slowly home")]
    split = encode(sentences, tokenizer, max_length=256, context=64)
    assert len(split.encoding_sentences) == 2


def test_context_takes_only_the_space_that_the_sentence_leaves(tokenizer):
    long = sentence("walked " * 12)
    split = encode([long] * 3, tokenizer, max_length=20, context=64)
    assert np.diff(split.window_offsets).tolist() == [2 + 12 + 3, 2 + 12 + 6, 2 + 12 + 3]
    longer = sentence("walked " * 30)
    split = encode([long, longer], tokenizer, max_length=20, context=64)
    rows = np.flatnonzero(split.window_encodings == split.forms[0, 1])
    assert len(rows) == 2 and split.tokens[split.window_offsets[rows[0]] + 1] != UNSCORED


def test_context_subtokens_have_no_label(tokenizer):
    sentences = [sentence("Ada walked", labels=("B-person", "O")) for _ in range(3)]
    split = encode(sentences, tokenizer, max_length=64, context=64)
    for alignment in ("first", "all"):
        labels = label_subtokens(split, alignment)
        assert (labels[split.tokens == UNSCORED] == IGNORE_INDEX).all()
        cased = split.window_encodings == split.forms[0, 1]
        row = int(np.flatnonzero(cased)[0])
        own = labels[split.window_offsets[row] : split.window_offsets[row + 1]]
        assert (own == LABEL_IDS["B-person"]).sum() == 1


SHAPES = st.lists(st.tuples(st.integers(1, 9), st.sampled_from("ab")), min_size=1, max_size=8)


@given(shapes=SHAPES, context=st.integers(0, 20), max_length=st.integers(8, 30))
def test_context_does_not_change_the_scored_tokens(tokenizer, shapes, context, max_length):
    sentences = [sentence("Walked " * count, document) for count, document in shapes]
    with_it, without = (
        encode(sentences, tokenizer, max_length=max_length, context=each) for each in (context, 0)
    )
    assert np.diff(with_it.window_offsets).max() <= max_length
    assert with_it.labels.tolist() == without.labels.tolist()
    for encoded in (with_it, without):
        for number, (count, _) in enumerate(shapes):
            rows = np.flatnonzero(encoded.window_encodings == encoded.forms[0, number])
            at = np.concatenate([np.arange(*encoded.window_offsets[[row, row + 1]]) for row in rows])
            owned = encoded.tokens[at][encoded.first_subtokens()[at]]
            start = encoded.sentence_offsets[number]
            assert owned.tolist() == list(range(start, start + count))


def test_encode_corpus_with_other_context_writes_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    family = load_family("suc-original")
    split = tuple(sentence(text) for text in TEXTS)
    corpus = Corpus("small", {"train": split, "dev": split}, "0" * 64)
    made = [
        encode_corpus(corpus, family, "tiny", EncodingOptions(max_length=64, seed=1, context=each))
        for each in (0, 8, 0)
    ]
    assert made[0].folder == made[2].folder != made[1].folder
    assert len(made[1].split("train").ids) > len(made[0].split("train").ids)


def test_encode_corpus_with_other_documents_writes_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    family = load_family("suc-original")
    folders = set()
    for document in ("", "b"):
        split = (sentence(TEXTS[0]), sentence(TEXTS[1], document))
        corpus = Corpus("small", {"train": split, "dev": split}, "0" * 64)
        folders.add(
            encode_corpus(corpus, family, "tiny", EncodingOptions(max_length=64, seed=1, context=8)).folder
        )
    assert len(folders) == 2


def test_long_sentence_note_counts_labels_lost_by_truncation(tokenizer):
    long = sentence("walked " * 20, labels=("O",) * 15 + ("B-person", "I-person", "I-person", "B-place", "O"))
    short = sentence("walked home", labels=("B-person", "O"))
    notes = [
        long_sentence_note(
            encode([short, long, short], tokenizer, max_length=each),
            "train",
        )
        for each in (64, 12)
    ]
    # Ten of 24 tokens follow the twelfth subtoken, four of 6 in entities.
    assert notes == [
        None,
        "train: 1 of 3 sentences are longer than a window and are split into several; "
        "truncation would lose the labels of 41.67% of all tokens and 66.67% of the tokens in entities",
    ]
