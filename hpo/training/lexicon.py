"""The distinct words of a corpus, each of which is tokenized once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.training.tokenization import Pieces, encode_words


@dataclass(frozen=True)
class Lexicon:
    """The tokens of some sentences as numbers of words, where words of equal subtokens share a number.

    *Shapes:* ``cased`` and ``lowered`` (tokens,): the word of each token, as it stands and in lower case.
    """

    cased: IntArray
    lowered: IntArray
    pieces: Pieces

    @classmethod
    def of(cls, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> Lexicon:
        """Number and tokenize the words of sentences, in either case."""
        tokens = list(chain.from_iterable(sentence.tokens for sentence in sentences))
        written = list(dict.fromkeys(tokens))
        in_lower_case = [word.lower() for word in written]
        words = list(dict.fromkeys(chain(written, in_lower_case)))
        pieces = encode_words(tokenizer, words)
        numbers = dict(zip(words, _first_alike(pieces), strict=True))
        place = dict(zip(written, range(len(written)), strict=True))
        token_places = np.fromiter(map(place.__getitem__, tokens), np.int64, len(tokens))
        cased, lowered = (
            np.fromiter(map(numbers.__getitem__, each), np.int64, len(each))[token_places]
            for each in (written, in_lower_case)
        )
        return cls(cased, lowered, pieces)

    def part(self, start: int, stop: int) -> Lexicon:
        """The tokens from ``start`` to before ``stop``, with the same words."""
        return replace(self, cased=self.cased[start:stop], lowered=self.lowered[start:stop])


def _first_alike(pieces: Pieces) -> list[int]:
    """The number of the first word that has the same subtokens, for each word."""
    flat = pieces.ids.tobytes()
    ends = (pieces.offsets * pieces.ids.itemsize).tolist()
    spelled = [flat[start:stop] for start, stop in pairwise(ends)]
    first: dict[bytes, int] = {}
    return [first.setdefault(piece, number) for number, piece in enumerate(spelled)]
