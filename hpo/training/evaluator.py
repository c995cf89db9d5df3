"""Runs a model over encoded sentences: predicted labels, span counts and loss of each encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hpo.corpora.label_sets import BIO, LABEL_SETS
from hpo.corpora.spans import IntArray, Scores, SpanCounts, count, score
from hpo.encoding.encoded_split import EncodedSplit
from hpo.encoding.ragged import concatenate_ranges
from hpo.encoding.window_dataset import WindowDataset
from hpo.models.pooling_head import uses_pooling

BATCH_SUBTOKENS = 4096
"""Maximum number of subtokens per forward pass, including padding."""
MIN_REAL_SHARE = 0.98
"""Minimum fraction of the subtokens of a forward pass that are not padding."""


@dataclass(frozen=True)
class SplitPredictions:
    """A model's predictions on some encodings of a split, with span counts and losses.

    *Shape:* ``losses`` and ``tokens`` (encodings,): the summed cross entropy in nats and the number of
    tokens. ``gold`` and ``predicted`` (tokens of all encodings,): the concatenated IOB2 labels.
    """

    counts: SpanCounts
    losses: npt.NDArray[np.float64]
    tokens: IntArray
    gold: IntArray
    predicted: IntArray

    @property
    def offsets(self) -> IntArray:
        """The first label of each encoding, and the end of the last; *shape:* (encodings + 1,)."""
        return np.concatenate([[0], np.cumsum(self.tokens)])

    def accuracy(self, multiplicity: IntArray | None = None) -> float:
        """Return the fraction of tokens with the correct label.

        Each encoding counts ``multiplicity`` times, by default once; *shape:* (encodings,).
        """
        per_encoding = np.ones(len(self.tokens), np.int64) if multiplicity is None else multiplicity
        weights = np.repeat(per_encoding, self.tokens)
        return float(weights @ (self.gold == self.predicted) / max(1, int(weights.sum())))

    def score(self, types: tuple[str, ...], multiplicity: IntArray | None = None) -> tuple[Scores, float]:
        """Return span scores and mean loss per token; ``multiplicity`` as in `accuracy`."""
        weights = np.ones(len(self.losses), np.int64) if multiplicity is None else multiplicity
        loss = float((self.losses * weights).sum() / max(1, int((self.tokens * weights).sum())))
        return score(self.counts.by_type(multiplicity), types), loss


class ForwardPasses:
    """Batches for running a model over some distinct encodings of a split; built once, used repeatedly.

    Tokens are numbered from 0 over the encodings in their order. Each token of a sentence that is cut into
    windows is predicted in exactly one of them. ``offsets``, *shape:* (encodings + 1,), holds the first token
    of each encoding, and the end of the last.
    """

    def __init__(self, split: EncodedSplit, encodings: IntArray, pad_id: int) -> None:
        self._rows = WindowDataset(split, encodings, pad_id)
        sentences = split.encoding_sentences[encodings]
        self.starts = split.sentence_offsets[sentences]
        self.lengths = np.diff(split.sentence_offsets)[sentences]
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        self._batches = [self._locate_tokens(rows, split) for rows in self._make_batches()]

    def _make_batches(self) -> list[IntArray]:
        """Return the rows in batches of similar length.

        The longest come first, so that memory runs out in the first batch or never. For example, rows of
        lengths 9, 100, 10 and 99 make the batches [1, 3], [2] and [0]: rows 2 and 0 together would have 19
        real subtokens of 20, below `MIN_REAL_SHARE`.
        """
        order = np.argsort(-self._rows.lengths, kind="stable")
        lengths = self._rows.lengths[order]
        batches, start = [], 0
        while start < len(order):
            max_rows = max(1, BATCH_SUBTOKENS // int(lengths[start]))
            real = np.cumsum(lengths[start : start + max_rows])
            padded = int(lengths[start]) * np.arange(1, len(real) + 1)
            wasteful = np.flatnonzero(real < MIN_REAL_SHARE * padded)
            size = int(wasteful[0]) if len(wasteful) else len(real)
            batches.append(order[start : start + size])
            start += size
        return batches

    def _locate_tokens(self, rows: IntArray, split: EncodedSplit) -> tuple[IntArray, torch.Tensor, IntArray]:
        """Return a batch: its rows, the position of each first subtoken in it, and the token of each.

        A position is an index into the flattened, padded batch. For example, in a batch of two rows of
        lengths 5 and 3, the subtoken in column 1 of the second row has position 1 * 5 + 1 = 6.

        *Shape:* rows (rows,), positions and tokens (first subtokens in the batch,).
        """
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
        on_batch: Callable[[IntArray, torch.Tensor], None],
        autocast: torch.dtype | None = None,
    ) -> None:
        """Run the model over every encoding once; call ``on_batch`` with the tokens and logits of each batch.

        *Shape:* tokens (tokens,), logits (tokens, labels), in float32 on the model's device.
        """
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        with torch.inference_mode(), torch.autocast(device.type, autocast, enabled=autocast is not None):
            for rows, positions, tokens in self._batches:
                batch = {
                    name: part.to(device)
                    for name, part in self._rows.padded_batch(rows, uses_pooling(model)).items()
                }
                logits = model(**batch).logits.flatten(0, 1)[positions.to(device)]
                on_batch(tokens, logits.float())
        model.train(training)


class SplitEvaluator:
    """Evaluates models of one label set on some distinct encodings of a split.

    Predicted labels are converted to IOB2 before spans are counted. The loss is over the model's own labels.
    """

    def __init__(
        self, split: EncodedSplit, encodings: IntArray, pad_id: int, n_types: int, label_set: str = BIO
    ) -> None:
        self._n_types = n_types
        self._passes = ForwardPasses(split, encodings, pad_id)
        tokens = concatenate_ranges(self._passes.starts, self._passes.lengths)
        self._gold = np.asarray(split.labels[tokens], np.int64)
        self._label_set = LABEL_SETS[label_set]
        self._model_gold = np.asarray(self._label_set.from_iob2(self._gold, self._passes.offsets), np.int64)

    def evaluate(self, model: torch.nn.Module, autocast: torch.dtype | None = None) -> SplitPredictions:
        """Run the model over every encoding once and compare its predictions with the gold labels."""
        predicted = np.empty(len(self._gold), np.int64)
        losses = np.empty(len(self._gold), np.float64)

        def on_batch(tokens: IntArray, logits: torch.Tensor) -> None:
            gold = torch.from_numpy(self._model_gold[tokens]).to(logits.device)
            losses[tokens] = functional.cross_entropy(logits, gold, reduction="none").cpu().numpy()
            predicted[tokens] = logits.argmax(-1).cpu().numpy()

        self._passes.run(model, on_batch, autocast)
        offsets = self._passes.offsets
        predicted = np.asarray(self._label_set.to_iob2(predicted, offsets), np.int64)
        return SplitPredictions(
            counts=count(self._gold, predicted, offsets, self._n_types),
            losses=np.add.reduceat(losses, offsets[:-1]) if len(losses) else losses,
            tokens=self._passes.lengths,
            gold=self._gold,
            predicted=predicted,
        )


def predict_labels(
    model: torch.nn.Module, split: EncodedSplit, encodings: IntArray, pad_id: int
) -> tuple[IntArray, npt.NDArray[np.float64], IntArray]:
    """Return the most probable label of each token of some encodings, with its probability.

    *Shape:* labels and probabilities ``(tokens,)``, and offsets ``(encodings + 1,)``.
    """
    passes = ForwardPasses(split, encodings, pad_id)
    labels = np.empty(int(passes.offsets[-1]), np.int64)
    probabilities = np.empty(len(labels), np.float64)

    def on_batch(tokens: IntArray, logits: torch.Tensor) -> None:
        probabilities[tokens] = logits.softmax(-1).max(-1).values.cpu().numpy()
        labels[tokens] = logits.argmax(-1).cpu().numpy()  # breaks ties as `SplitEvaluator` does

    passes.run(model, on_batch)
    return labels, probabilities, passes.offsets
