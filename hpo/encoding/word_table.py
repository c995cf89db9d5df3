"""The distinct words of a corpus, each tokenized once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from transformers import PreTrainedTokenizerBase

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import BoolArray, IntArray
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.subwords import Subwords, encode_words


@dataclass(frozen=True)
class WordTable:
    """The tokens of some sentences as word numbers; words with equal subtokens in both cases share one.

    *Shape:* ``cased`` and ``lowered`` (tokens,): the word number of each token, as written and lower-cased.
    """

    cased: IntArray
    lowered: IntArray
    subwords: Subwords

    @classmethod
    def of(cls, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> WordTable:
        """Number and tokenize the words of sentences, as written and lower-cased."""
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        tokens = chain.from_iterable(sentence.tokens for sentence in sentences)
        cased = np.fromiter(map(numbers.__getitem__, tokens), np.int64)
        lowered_words = [word.lower() for word in numbers]
        lowered = np.fromiter(map(numbers.__getitem__, lowered_words), np.int64)
        subwords = encode_words(tokenizer, list(numbers))
        lowered = np.where(_same_subtokens(subwords, lowered), np.arange(len(lowered)), lowered)
        return cls(cased, lowered[cased], subwords)

    def part(self, start: int, stop: int) -> WordTable:
        """Return the tokens from ``start`` to before ``stop``, with the same words."""
        return replace(self, cased=self.cased[start:stop], lowered=self.lowered[start:stop])


def _same_subtokens(subwords: Subwords, others: IntArray) -> BoolArray:
    """Return whether word ``i`` has the same subtokens as word ``others[i]``.

    *Shape:* ``others`` and the result (n,), for the first n words.

    >>> empty = np.array([], np.int32)
    >>> words = Subwords(np.array([7, 8, 7, 8, 9]), np.array([0, 2, 4, 5]), empty, empty, empty)
    >>> _same_subtokens(words, np.array([1, 2])).tolist()  # [7, 8] and [7, 8]; [7, 8] and [9]
    [True, False]
    """
    lengths = np.diff(subwords.offsets)
    same = lengths[: len(others)] == lengths[others]
    candidates = np.flatnonzero(same)
    left, right = (
        subwords.ids[concatenate_ranges(subwords.offsets[words], lengths[words])]
        for words in (candidates, others[candidates])
    )
    # Differences counted up to the start of each word: equal at its end if the word has none.
    differences, ends = offsets_from_lengths(left != right), offsets_from_lengths(lengths[candidates])
    same[candidates] = differences[ends[1:]] == differences[ends[:-1]]
    return same
