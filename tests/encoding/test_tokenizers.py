"""Tokenizers: a deterministic vocabulary for `tiny`, word-by-word encoding, and errors of loading."""

import subprocess
import sys

import pytest
from transformers import BertConfig

from hpo.encoding.subwords import encode_words
from hpo.encoding.tokenizers import load_tokenizer, longest_window, train_wordpiece
from hpo.errors import UserError

PROGRAM = """
from hpo.corpora.demo import generate
from hpo.encoding.tokenizers import train_wordpiece
words = [sentence.tokens for sentence in generate(1).splits["dev"]]
print(sorted(train_wordpiece(words, 600).get_vocab().items()))
"""


def test_train_wordpiece_gives_the_same_vocabulary_again(sentences):
    vocabularies = [
        train_wordpiece((sentence.tokens for sentence in sentences), vocabulary=120).get_vocab()
        for _ in range(3)
    ]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


@pytest.mark.slow
def test_train_wordpiece_gives_the_same_vocabulary_in_every_process():
    # The trainer of tokenizers is not deterministic: hash map order breaks ties.
    outputs = {
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1


def test_train_wordpiece_characters_are_not_special_tokens(tokenizer):
    assert tokenizer.convert_ids_to_tokens(range(5)) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokenizer.all_special_tokens) == 5
    assert tokenizer.tokenize("##A") != ["##A"]


def test_train_wordpiece_tokenizer_is_cased(tokenizer):
    assert tokenizer.tokenize("Ada") != tokenizer.tokenize("ada")


def test_encode_words_gives_the_subtokens_of_words_in_a_sentence(tokenizer, sentences):
    words = sorted({token for sentence in sentences for token in sentence.tokens})
    pieces = encode_words(tokenizer, words)
    for number, word in enumerate(words):
        alone = pieces.ids[pieces.offsets[number] : pieces.offsets[number + 1]].tolist()
        within = tokenizer([["today", word, "home"]], is_split_into_words=True)
        assert alone == [
            id for id, place in zip(within["input_ids"][0], within.word_ids(0), strict=True) if place == 1
        ]
    assert pieces.prefix.tolist() == [tokenizer.cls_token_id]
    assert pieces.suffix.tolist() == [tokenizer.sep_token_id]


def test_load_tokenizer_of_missing_model_raises_user_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="no tokenizer can be loaded"):
        load_tokenizer(str(tmp_path))


def test_train_wordpiece_small_vocabulary_contains_every_character():
    tokenizer = train_wordpiece([("abc", "Åäö")], vocabulary=10)
    assert tokenizer.unk_token_id not in tokenizer(["abcÅäö"])["input_ids"][0]


@pytest.fixture
def bare(tmp_path):
    """A model folder with nothing but a configuration."""
    BertConfig(vocab_size=50).save_pretrained(str(tmp_path))
    return tmp_path


def test_load_tokenizer_of_folder_without_tokenizer_raises_user_error(bare):
    with pytest.raises(UserError, match=r"no tokenizer can be loaded from it.*has no subtokens"):
        load_tokenizer(str(bare))


def test_load_tokenizer_of_broken_file_raises_user_error(bare):
    (bare / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(UserError, match="no tokenizer can be loaded from it"):
        load_tokenizer(str(bare))


def test_broken_configuration_raises_user_error(tmp_path, tokenizer):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": "wide"}')
    with pytest.raises(UserError, match="model: cannot be loaded"):
        longest_window(tokenizer, str(tmp_path))
