"""A model's predictions on encoded sentences, reduced to span counts and a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hpo.corpora.label_sets import BIO, LABEL_SETS
from hpo.corpora.spans import IntArray, Scores, SpanCounts, count, score
from hpo.encoding.encoded_corpus import EncodedSplit
from hpo.encoding.ragged import concatenate_ranges
from hpo.encoding.window_dataset import WindowDataset
from hpo.models.pooling_head import uses_pooling

BATCH_SUBTOKENS = 4096
"""Subtokens per forward pass, padding included, at most."""
REAL_SHARE = 0.98
"""Of the subtokens of a forward pass, those that are no padding, at least."""


@dataclass(frozen=True)
class SplitPredictions:
    """What a model made of some encodings: span counts per encoding, and the loss of each.

    *Shape:* ``losses`` and ``tokens`` (encodings,): the summed cross entropy in nats, and over how
    many tokens. ``gold`` and ``predicted`` (tokens of all encodings,): the IOB2 labels, end to end.
    """

    counts: SpanCounts
    losses: npt.NDArray[np.float64]
    tokens: IntArray
    gold: IntArray
    predicted: IntArray

    @property
    def offsets(self) -> IntArray:
        """Where each encoding's labels begin, and the end of the last; *shape:* (encodings + 1,)."""
        return np.concatenate([[0], np.cumsum(self.tokens)])

    def accuracy(self, times: IntArray | None = None) -> float:
        """The share of tokens with the right label; each encoding counts ``times`` (once by default)."""
        weights = np.repeat(np.ones(len(self.tokens), np.int64) if times is None else times, self.tokens)
        return float(weights @ (self.gold == self.predicted) / max(1, int(weights.sum())))

    def score(self, types: tuple[str, ...], times: IntArray | None = None) -> tuple[Scores, float]:
        """Scores and mean loss per token where each encoding counts ``times`` (once by default)."""
        weights = np.ones(len(self.losses), np.int64) if times is None else times
        loss = float((self.losses * weights).sum() / max(1, int((self.tokens * weights).sum())))
        return score(self.counts.by_type(times), types), loss


class Passes:
    """The forward passes over some distinct encodings of a split, laid out once.

    Tokens are counted from 0 over the encodings in their order, each token of a long sentence in the one
    window that is responsible for it; ``offsets`` *(encodings + 1,)* says where each encoding's begin.
    """

    def __init__(self, split: EncodedSplit, encodings: IntArray, pad_id: int) -> None:
        self._rows = WindowDataset(split, encodings, pad_id)
        sentences = split.sentences[encodings]
        self.starts = split.sentence_offsets[sentences]
        self.lengths = np.diff(split.sentence_offsets)[sentences]
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        self._batches = [self._lay_out(rows, split) for rows in self._cut()]

    def _cut(self) -> list[IntArray]:
        """Group windows of similar length into batches, longest first: memory runs out early or never."""
        order = np.argsort(-self._rows.lengths, kind="stable")
        lengths = self._rows.lengths[order]
        batches, at = [], 0
        while at < len(order):
            most = max(1, BATCH_SUBTOKENS // int(lengths[at]))
            real = np.cumsum(lengths[at : at + most])
            padded = int(lengths[at]) * np.arange(1, len(real) + 1)
            wasteful = np.flatnonzero(real < REAL_SHARE * padded)
            size = int(wasteful[0]) if len(wasteful) else len(real)
            batches.append(order[at : at + size])
            at += size
        return batches

    def _lay_out(self, rows: IntArray, split: EncodedSplit) -> tuple[IntArray, torch.Tensor, IntArray]:
        """Windows, the places of their tokens' first subtokens in the padded batch, and these tokens."""
        lengths = self._rows.lengths[rows]
        subtokens = concatenate_ranges(self._rows.starts[rows], lengths)
        row = np.repeat(np.arange(len(rows)), lengths)
        column = subtokens - np.repeat(self._rows.starts[rows], lengths)
        first = split.first_subtokens(subtokens)
        encoding = self._rows.encodings[rows][row[first]]
        token = split.tokens[subtokens[first]] - self.starts[encoding] + self.offsets[encoding]
        return rows, torch.from_numpy(row[first] * int(lengths.max()) + column[first]), token

    def run(
        self,
        model: torch.nn.Module,
        take: Callable[[IntArray, torch.Tensor], None],
        autocast: torch.dtype | None = None,
    ) -> None:
        """Run the model over every encoding once, and give each batch's tokens and their logits away.

        *Shape:* ``take`` is given ``(tokens,)`` and ``(tokens, labels)``, in float32 on the model's device.
        """
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        with torch.inference_mode(), torch.autocast(device.type, autocast, enabled=autocast is not None):
            for rows, places, tokens in self._batches:
                batch = {
                    name: part.to(device)
                    for name, part in self._rows.batch(rows, uses_pooling(model)).items()
                }
                take(tokens, model(**batch).logits.flatten(0, 1)[places.to(device)].float())
        model.train(training)


class SplitEvaluator:
    """The marking of some distinct encodings of a split, laid out once, for models of one label set.

    What a model says is read as IOB2 before it is counted; its loss is over its own labels.
    """

    def __init__(
        self, split: EncodedSplit, encodings: IntArray, pad_id: int, n_types: int, label_set: str = BIO
    ) -> None:
        self._n_types = n_types
        self._passes = Passes(split, encodings, pad_id)
        places = concatenate_ranges(self._passes.starts, self._passes.lengths)
        self._gold = np.asarray(split.labels[places], np.int64)
        self._labels = LABEL_SETS[label_set]
        self._learned = np.asarray(self._labels.from_iob2(self._gold, self._passes.offsets), np.int64)

    def read(self, model: torch.nn.Module, autocast: torch.dtype | None = None) -> SplitPredictions:
        """Run the model over every encoding once."""
        predicted = np.empty(len(self._gold), np.int64)
        losses = np.empty(len(self._gold), np.float64)

        def mark(tokens: IntArray, logits: torch.Tensor) -> None:
            gold = torch.from_numpy(self._learned[tokens]).to(logits.device)
            losses[tokens] = functional.cross_entropy(logits, gold, reduction="none").cpu().numpy()
            predicted[tokens] = logits.argmax(-1).cpu().numpy()

        self._passes.run(model, mark, autocast)
        offsets = self._passes.offsets
        predicted = np.asarray(self._labels.to_iob2(predicted, offsets), np.int64)
        return SplitPredictions(
            counts=count(self._gold, predicted, offsets, self._n_types),
            losses=np.add.reduceat(losses, offsets[:-1]) if len(losses) else losses,
            tokens=self._passes.lengths,
            gold=self._gold,
            predicted=predicted,
        )


def label(
    model: torch.nn.Module, split: EncodedSplit, encodings: IntArray, pad_id: int
) -> tuple[IntArray, npt.NDArray[np.float64], IntArray]:
    """The likeliest label of each token of some encodings, with its probability.

    *Shape:* labels and probabilities ``(tokens,)``, and offsets ``(encodings + 1,)``.
    """
    passes = Passes(split, encodings, pad_id)
    labels = np.empty(int(passes.offsets[-1]), np.int64)
    probabilities = np.empty(len(labels), np.float64)

    def take(tokens: IntArray, logits: torch.Tensor) -> None:
        likeliest = logits.softmax(-1).max(-1)
        probabilities[tokens] = likeliest.values.cpu().numpy()
        labels[tokens] = logits.argmax(-1).cpu().numpy()  # as when scored, where two are equally likely

    passes.run(model, take)
    return labels, probabilities, passes.offsets
