"""The distinct words of a corpus, each of which is tokenized once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.encoding.ragged import concatenate_ranges, offsets_from_lengths
from hpo.encoding.tokenizers import Subwords, encode_words


@dataclass(frozen=True)
class WordTable:
    """The tokens of some sentences as numbers of words, one for both cases where their subtokens are alike.

    *Shapes:* ``cased`` and ``lowered`` (tokens,): the word of each token, as it stands and in lower case.
    """

    cased: IntArray
    lowered: IntArray
    pieces: Subwords

    @classmethod
    def of(cls, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> WordTable:
        """Number and tokenize the words of sentences, in either case."""
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        tokens = chain.from_iterable(sentence.tokens for sentence in sentences)
        cased = np.fromiter(map(numbers.__getitem__, tokens), np.int64)
        in_lower_case = [word.lower() for word in numbers]
        lowered = np.fromiter(map(numbers.__getitem__, in_lower_case), np.int64)
        pieces = encode_words(tokenizer, list(numbers))
        lowered = np.where(_alike(pieces, lowered), np.arange(len(lowered)), lowered)
        return cls(cased, lowered[cased], pieces)

    def part(self, start: int, stop: int) -> WordTable:
        """The tokens from ``start`` to before ``stop``, with the same words."""
        return replace(self, cased=self.cased[start:stop], lowered=self.lowered[start:stop])


def _alike(pieces: Subwords, others: IntArray) -> npt.NDArray[np.bool_]:
    """Whether each of the first words has the subtokens of the word whose number is given for it."""
    sizes = np.diff(pieces.offsets)
    alike = sizes[: len(others)] == sizes[others]
    same_size = np.flatnonzero(alike)
    own, other = (
        pieces.ids[concatenate_ranges(pieces.offsets[words], sizes[words])]
        for words in (same_size, others[same_size])
    )
    unlike, ends = offsets_from_lengths(own != other), offsets_from_lengths(sizes[same_size])
    alike[same_size] = unlike[ends[1:]] == unlike[ends[:-1]]
    return alike
