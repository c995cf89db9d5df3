"""Classify tokens with a checkpoint: the most likely label of each token and its probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import IntArray
from hpo.corpora.variants import FORMS
from hpo.encoding.sentence_encoder import EncodingOptions, encode_sentences
from hpo.encoding.tokenizers import load_tokenizer, longest_window
from hpo.models.checkpoints import load_checkpoint
from hpo.training.evaluator import predict_labels


@dataclass(frozen=True)
class TokenPredictions:
    """The predicted label numbers of some sentences, concatenated.

    *Shape:* ``labels`` and ``probabilities`` ``(tokens,)``; sentence ``i`` is
    ``labels[offsets[i]:offsets[i + 1]]``.
    """

    labels: IntArray
    probabilities: npt.NDArray[np.float64]
    offsets: IntArray


class TokenClassifier:
    """The model and tokenizer of a model folder, loaded once.

    Windows have at most ``max_length`` subtokens. ``context`` adds up to this many subtokens of surrounding
    sentences, which are not classified.

    Raises
    ------
    UserError
        If the folder has no token-classification model in safetensors, or no tokenizer.
    """

    def __init__(self, folder: Path, max_length: int, context: int = 0) -> None:
        name = str(folder.resolve())
        self._tokenizer = load_tokenizer(name)
        self._window = min(max_length, longest_window(self._tokenizer, name))
        self._context = context
        self._model = load_checkpoint(folder)

    def classify(self, sentences: Sequence[Sequence[str]]) -> TokenPredictions:
        """Classify sentences of at least one token each; long ones are split into overlapping windows."""
        unlabelled = [Sentence(tuple(tokens), ("O",) * len(tokens)) for tokens in sentences]
        options = EncodingOptions(max_length=self._window, seed=0, context=self._context)
        split = encode_sentences(unlabelled, {"O": 0}, self._tokenizer, options)
        pad = self._tokenizer.pad_token_id
        cased = split.forms[FORMS.index("cased")]
        return TokenPredictions(*predict_labels(self._model, split, cased, 0 if pad is None else pad))
