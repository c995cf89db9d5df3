"""The scores of all case variants from one scoring of each sentence's forms.

Correct, predicted and gold spans add up over sentences, so a mix or a both variant need not be run
through a model: its counts are sums over forms that have been scored already.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpo.corpora.spans import BoolArray, IntArray, Scores, SpanCounts, score
from hpo.corpora.variants import VARIANTS, Composition, arrange


def compose_scores(
    layout: Composition, counts: SpanCounts, readings: IntArray, types: Sequence[str]
) -> Scores:
    """The scores of one variant, equal to those of the variant written out and scored as a whole.

    *Shape:* ``readings`` is ``(3, sentences)``: in the order of `FORMS`, under which number of
    ``counts`` each form of each sentence was scored. Forms that coincide may share a number.
    """
    chosen = readings[layout.forms, layout.sentences]
    times = np.bincount(chosen, minlength=counts.n_sentences)
    return score(counts.by_type(times), types)


def score_variants(
    drawn: BoolArray, counts: SpanCounts, readings: IntArray, types: Sequence[str]
) -> dict[str, Scores]:
    """The scores of every case variant, in the order of the result matrix's columns.

    *Shape:* ``drawn`` is ``(sentences,)``, whether a mix lowers each sentence (see
    `hpo.corpora.variants.draw`); ``readings`` as in `compose_scores`.
    """
    return {variant: compose_scores(arrange(variant, drawn), counts, readings, types) for variant in VARIANTS}
