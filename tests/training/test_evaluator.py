"""`SplitEvaluator` counts spans as seqeval does on the first subtokens."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score

from hpo.corpora.spans import label_names
from hpo.corpora.variants import VARIANTS, arrange
from hpo.encoding.sentence_encoder import EncodingOptions, encode_sentences
from hpo.training.evaluator import SplitEvaluator

TYPES = ("person", "place")
NAMES = label_names(TYPES)


class Oracle(torch.nn.Module):
    """Predicts a label from the subtoken id alone, so that the test can compute it."""

    def __init__(self) -> None:
        super().__init__()
        self.device_of = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids, attention_mask):
        return SimpleNamespace(logits=5.0 * torch.nn.functional.one_hot(input_ids % len(NAMES), len(NAMES)))


def by_hand(split, encodings):
    """Return gold and predicted labels of some encodings, computed row by row."""
    gold, predicted = [], []
    for encoding in encodings:
        sentence = split.encoding_sentences[encoding]
        start, stop = split.sentence_offsets[sentence], split.sentence_offsets[sentence + 1]
        by_token = {}
        for row in np.flatnonzero(split.window_encodings == encoding):
            for place in range(split.window_offsets[row], split.window_offsets[row + 1]):
                token = split.tokens[place]
                if token >= 0:
                    by_token.setdefault(token, NAMES[split.ids[place] % len(NAMES)])
        gold.append([NAMES[label] for label in split.labels[start:stop]])
        predicted.append([by_token[token] for token in range(start, stop)])
    return gold, predicted


@pytest.mark.parametrize("max_length", [12, 64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_evaluate_on_every_variant_agrees_with_seqeval(sentences, tokenizer, variant, max_length):
    numbers = {name: number for number, name in enumerate(NAMES)}
    split = encode_sentences(sentences[:40], numbers, tokenizer, EncodingOptions(max_length, seed=5))
    layout = arrange(variant, split.drawn)
    encodings = split.variant_encodings(layout.forms, layout.sentences)
    distinct, times = np.unique(encodings, return_counts=True)
    scores, _ = SplitEvaluator(split, distinct, 0, len(TYPES)).evaluate(Oracle()).score(TYPES, times)
    assert scores.f1 == f1_score(*by_hand(split, encodings))
    assert scores.gold > 0


def test_score_returns_the_mean_loss_over_tokens(sentences, tokenizer):
    numbers = {name: number for number, name in enumerate(NAMES)}
    split = encode_sentences(sentences[:10], numbers, tokenizer, EncodingOptions(64, seed=5))
    encodings = split.forms[0]
    gold, predicted = by_hand(split, encodings)
    correct = [
        g == p for one, other in zip(gold, predicted, strict=True) for g, p in zip(one, other, strict=True)
    ]
    logits = torch.tensor([5.0] + [0.0] * (len(NAMES) - 1))
    losses = {True: -logits.log_softmax(0)[0].item(), False: -logits.log_softmax(0)[1].item()}
    _, loss = SplitEvaluator(split, encodings, 0, len(TYPES)).evaluate(Oracle()).score(TYPES)
    assert loss == pytest.approx(np.mean([losses[each] for each in correct]), rel=1e-6)


def test_evaluate_restores_the_training_mode(sentences, tokenizer):
    numbers = {name: number for number, name in enumerate(NAMES)}
    split = encode_sentences(sentences[:3], numbers, tokenizer, EncodingOptions(64, seed=5))
    model = Oracle().train()
    SplitEvaluator(split, split.forms[0], 0, len(TYPES)).evaluate(model)
    assert model.training
