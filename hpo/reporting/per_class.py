"""Tables of the scores of each class and of the confusion counts of the best model."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.corpora.spans import Scores
from hpo.evaluation.confusion import NO_ENTITY, OUTSIDE, ClassScore, Confusion, token_scores
from hpo.reporting.tables import format_f1, render_table


def render_class_scores(split: str, scores: Scores, confusion: Confusion | None) -> str:
    """Return precision, recall and F1 of one split: entities by type, tokens by class, micro and macro."""
    types = [
        ClassScore(name, score.precision, score.recall, score.f1, score.gold)
        for name, score in scores.by_type.items()
    ]
    micro = ClassScore("micro", scores.precision, scores.recall, scores.f1, scores.gold)
    macro = ClassScore("macro", scores.macro_precision, scores.macro_recall, scores.macro_f1, scores.gold)
    parts = [f"Entities on {split}:\n", _scores_table("spans", [*types, micro, macro])]
    if confusion:
        parts += [
            f"Tokens on {split}, B- and I- merged (accuracy with B- and I- distinct: "
            f"{confusion.accuracy:.5f}):\n",
            _scores_table("tokens", token_scores(confusion)),
        ]
    return "\n".join(parts)


def _scores_table(unit: str, scores: Sequence[ClassScore]) -> str:
    return render_table(
        ("class", "precision", "recall", "F1", unit),
        [
            (score.name, *map(format_f1, (score.precision, score.recall, score.f1)), f"{score.support:,}")
            for score in scores
        ],
    )


def render_confusion(split: str, confusion: Confusion) -> str:
    """Return the entity and the token counts of one split, gold in the rows and predicted in the columns."""
    return "\n".join(
        [
            f"Entity confusion on {split}, {confusion.variant} (rows: gold, columns: predicted; "
            f"{NO_ENTITY}: no entity with these tokens):\n",
            _counts_table((*confusion.types, NO_ENTITY), confusion.entities),
            f"Token confusion on {split}, {confusion.variant}:\n",
            _counts_table((OUTSIDE, *confusion.types), confusion.by_class.tolist()),
        ]
    )


def _counts_table(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    return render_table(
        ("gold", *names),
        [(name, *(f"{count:,}" for count in row)) for name, row in zip(names, counts, strict=True)],
    )
