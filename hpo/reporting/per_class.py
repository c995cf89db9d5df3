"""The scores of each class of the best model, and what it took for what."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.corpora.spans import Scores
from hpo.evaluation.confusion import NO_ENTITY, OUTSIDE, ClassScore, Confusion, token_scores
from hpo.reporting.matrix_tables import render_table


def render_class_scores(split: str, scores: Scores, confusion: Confusion | None) -> str:
    """Precision, recall and F1 of one split: of entities by type, of tokens by class, micro and macro."""
    macro = ClassScore("macro", scores.macro_precision, scores.macro_recall, scores.macro_f1, scores.gold)
    micro = ClassScore("micro", scores.precision, scores.recall, scores.f1, scores.gold)
    types = [
        ClassScore(name, each.precision, each.recall, each.f1, each.gold)
        for name, each in scores.by_type.items()
    ]
    parts = [f"Entities on {split}:\n", _table("spans", [*types, micro, macro])]
    if confusion:
        parts += [
            f"Tokens on {split}, of a type whether at its begin or inside (accuracy, with these told apart: "
            f"{confusion.accuracy:.5f}):\n",
            _table("tokens", token_scores(confusion)),
        ]
    return "\n".join(parts)


def _table(unit: str, scores: Sequence[ClassScore]) -> str:
    return render_table(
        ("class", "precision", "recall", "F1", unit),
        [
            (each.name, f"{each.precision:.5f}", f"{each.recall:.5f}", f"{each.f1:.5f}", f"{each.support:,}")
            for each in scores
        ],
    )


def render_confusion(split: str, confusion: Confusion) -> str:
    """Both tables of counts of one split, gold in the rows and predicted in the columns."""
    return "\n".join(
        [
            f"Entities on {split}, {confusion.variant} (rows gold, columns predicted; {NO_ENTITY}: no entity "
            "of these tokens):\n",
            _counts((*confusion.types, NO_ENTITY), confusion.entities),
            f"Tokens on {split}, {confusion.variant}:\n",
            _counts((OUTSIDE, *confusion.types), confusion.by_class.tolist()),
        ]
    )


def _counts(names: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    return render_table(
        ("gold", *names),
        [(name, *(f"{count:,}" for count in row)) for name, row in zip(names, table, strict=True)],
    )
