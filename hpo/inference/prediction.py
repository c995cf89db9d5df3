"""The result of a prediction: a text, its tokens and its entity spans."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """An entity: tokens ``start`` to ``end`` and characters ``start_char`` to ``end_char``, ends exclusive.

    ``score`` is the mean probability of the predicted labels of its tokens, in (0, 1].
    """

    type: str
    start: int
    end: int
    start_char: int
    end_char: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A text, its tokens and its predicted spans, in text order and without overlaps."""

    id: str
    text: str
    tokens: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The spans as IOB2 labels, one per token."""
        labels = ["O"] * len(self.tokens)
        for span in self.spans:
            labels[span.start : span.end] = [f"B-{span.type}"] + [f"I-{span.type}"] * (
                span.end - span.start - 1
            )
        return tuple(labels)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON-compatible values."""
        return asdict(self)

    def to_conll(self) -> str:
        """Return one line per token, with a tab before its label, and a blank line after the last."""
        rows = zip(self.tokens, self.labels, strict=True)
        return "".join(f"{token}\t{label}\n" for token, label in rows) + "\n"
