"""A checkpoint at work: tokens in, the likeliest label of each and its probability out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import FORMS
from hpo.encoding.encoded_corpus import encode
from hpo.encoding.tokenizers import load_tokenizer, longest_window
from hpo.models.checkpoints import load_checkpoint
from hpo.training.evaluator import predict_labels


@dataclass(frozen=True)
class Labels:
    """The labels of some sentences, by number, end to end.

    *Shape:* ``numbers`` and ``probabilities`` ``(tokens,)``; sentence ``i`` is
    ``numbers[offsets[i]:offsets[i + 1]]``.
    """

    numbers: IntArray
    probabilities: npt.NDArray[np.float64]
    offsets: IntArray


class TokenClassifier:
    """A model folder's model and tokenizer, loaded once; it reads ``context`` subtokens around a sentence.

    Raises
    ------
    UserError
        if the folder has no token-classification model in safetensors, or no tokenizer.
    """

    def __init__(self, folder: Path, max_length: int, context: int = 0) -> None:
        place = str(folder.resolve())
        self._tokenizer = load_tokenizer(place)
        self._window = min(max_length, longest_window(self._tokenizer, place))
        self._context = context
        self._model = load_checkpoint(folder)

    def label(self, sentences: Sequence[Sequence[str]]) -> Labels:
        """Label sentences of at least one token each; those that are too long, by overlapping windows."""
        unlabelled = [Sentence(tuple(tokens), ("O",) * len(tokens)) for tokens in sentences]
        split = encode(
            unlabelled,
            {"O": 0},
            self._tokenizer,
            max_length=self._window,
            seed=0,
            context=self._context,
        )
        pad = self._tokenizer.pad_token_id
        cased = split.forms[FORMS.index("cased")]
        return Labels(*predict_labels(self._model, split, cased, 0 if pad is None else pad))
