"""Scores of all case variants from one prediction of each sentence's three forms.

Correct, predicted and gold spans add up over sentences, so the counts of a mix or both variant are sums
over forms that were predicted already.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpo.corpora.spans import BoolArray, IntArray, Scores, SpanCounts, score
from hpo.corpora.variants import VARIANTS, Composition, arrange


def compose_scores(
    layout: Composition, counts: SpanCounts, form_index: IntArray, types: Sequence[str]
) -> Scores:
    """Return the scores of one variant, equal to those of the variant written out and scored as a whole.

    *Shape:* ``form_index`` is ``(3, sentences)``: for each of `FORMS` and each sentence, its index in
    ``counts``. Forms with the same text may share an index.

    Example: of two sentences, the second has three distinct forms and the first only one, so that
    ``form_index`` is ``[[0, 1], [0, 2], [0, 3]]``. The variant "uncased" (form 1 of both) is
    ``form_index[[1, 1], [0, 1]] = [0, 2]``: each of these two counts once.
    """
    chosen = form_index[layout.forms, layout.sentences]
    times = np.bincount(chosen, minlength=counts.n_sentences)
    return score(counts.by_type(times), types)


def score_variants(
    drawn: BoolArray, counts: SpanCounts, form_index: IntArray, types: Sequence[str]
) -> dict[str, Scores]:
    """Return the scores of every case variant, in the order of the result matrix's columns.

    *Shape:* ``drawn`` is ``(sentences,)``, whether a mix lower-cases each sentence (see
    `hpo.corpora.variants.draw`); ``form_index`` as in `compose_scores`.
    """
    return {
        variant: compose_scores(arrange(variant, drawn), counts, form_index, types) for variant in VARIANTS
    }
