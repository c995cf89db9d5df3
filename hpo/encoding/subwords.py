"""The subtokens of distinct words, as one flat array."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from transformers import ByT5Tokenizer, PreTrainedTokenizerBase

from hpo.corpora.spans import IntArray
from hpo.encoding.ragged import offsets_from_lengths

WORDS_PER_INPUT = 1000
"""Words per tokenizer input: the cost of an input far exceeds the cost of a word."""


@dataclass(frozen=True)
class Subwords:
    """Subtokens of distinct words: those of word ``i`` are ``ids[offsets[i]:offsets[i + 1]]``.

    ``prefix`` and ``suffix`` are the special tokens around a sentence; ``separator`` is placed between two
    words and belongs to neither (empty for all tokenizers except ByT5's).

    *Shape:* ``ids`` (subtokens,) int32, ``offsets`` (words + 1,) int64.
    """

    ids: IntArray
    offsets: IntArray
    prefix: IntArray
    suffix: IntArray
    separator: IntArray

    def truncated(self, max_subtokens: int) -> Subwords:
        """Return the same words with at most the first ``max_subtokens`` subtokens of each.

        >>> empty = np.array([], np.int32)
        >>> short = Subwords(np.array([7, 8, 9, 5]), np.array([0, 3, 4]), empty, empty, empty).truncated(2)
        >>> short.ids.tolist(), short.offsets.tolist()
        ([7, 8, 5], [0, 2, 3])
        """
        lengths = np.diff(self.offsets)
        if lengths.max(initial=0) <= max_subtokens:
            return self
        position = np.arange(len(self.ids)) - np.repeat(self.offsets[:-1], lengths)
        offsets = offsets_from_lengths(np.minimum(lengths, max_subtokens))
        return replace(self, ids=self.ids[position < max_subtokens], offsets=offsets)

    def with_special_tokens(self) -> Subwords:
        """Return the same words and three more at the end: the prefix, the suffix and the separator."""
        special = (self.prefix, self.suffix, self.separator)
        ends = len(self.ids) + np.cumsum([len(each) for each in special])
        return replace(self, ids=np.concatenate([self.ids, *special]), offsets=np.append(self.offsets, ends))


def encode_words(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> Subwords:
    """Encode each distinct word separately.

    Tokenizers encode a pre-split sentence word by word, so the subtokens of a sentence are those of its words
    in order. Encoding each distinct word once gives the same result at a fraction of the cost. A word that
    the tokenizer's normalizer removes (a single soft hyphen) becomes one unknown subtoken; without any
    subtoken its label would be lost.

    ByT5 reads the UTF-8 bytes of the words joined by spaces. The space is the separator, so that the first
    subtoken of a word is its first byte. A word that looks like a special token (``</s>``) is encoded as
    its bytes.
    """
    prefix, suffix = _special_tokens(tokenizer)
    if isinstance(tokenizer, ByT5Tokenizer):
        ids, lengths = _byte_ids(words, tokenizer)
        separator = np.asarray([ord(" ") + tokenizer.offset], np.int32)
        return Subwords(ids, offsets_from_lengths(lengths), prefix, suffix, separator)
    ids, word_numbers = _subtokens(tokenizer, words)
    lengths = np.bincount(word_numbers, minlength=len(words))
    removed = np.flatnonzero(lengths == 0)
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
    ids = np.insert(ids, np.searchsorted(word_numbers, removed), unknown)
    lengths[removed] = 1
    return Subwords(ids, offsets_from_lengths(lengths), prefix, suffix, np.empty(0, np.int32))


def _subtokens(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> tuple[IntArray, IntArray]:
    """Return the subtokens of all words end to end, and the word number of each; a word may have none."""
    chunks = [words[at : at + WORDS_PER_INPUT] for at in range(0, len(words), WORDS_PER_INPUT)]
    if not chunks:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    encoded = tokenizer(
        chunks,
        is_split_into_words=True,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # the inputs exceed the model's maximum length on purpose
    )
    word_numbers = [
        np.asarray(encoded.word_ids(number), np.int64) + number * WORDS_PER_INPUT
        for number in range(len(chunks))
    ]
    ids = [np.asarray(each, np.int32) for each in encoded["input_ids"]]
    return np.concatenate(ids), np.concatenate(word_numbers)


def _byte_ids(words: list[str], tokenizer: ByT5Tokenizer) -> tuple[IntArray, IntArray]:
    """Return ByT5's ids of the words' bytes and the number of bytes of each; an empty word is one NUL."""
    encoded = [word.encode("utf-8", "surrogatepass") or b"\0" for word in words]
    ids = np.frombuffer(b"".join(encoded), np.uint8).astype(np.int32) + tokenizer.offset
    return ids, np.fromiter(map(len, encoded), np.int64, len(encoded))


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[IntArray, IntArray]:
    """Return the special tokens before and after a sentence, such as [CLS] and [SEP]."""
    encoded = tokenizer([["a"]], is_split_into_words=True, return_special_tokens_mask=True)
    ids = np.asarray(encoded["input_ids"][0], np.int32)
    content = np.flatnonzero(np.asarray(encoded["special_tokens_mask"][0]) == 0)
    return ids[: content[0]], ids[content[-1] + 1 :]
