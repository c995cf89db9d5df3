"""The seven case variants of a set of sentences, all made of three forms of each sentence.

Token count and labels never change, so a variant is fully told by which form of which sentence
stands where. `compose` says that in numbers, and `apply` writes the sentences out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo.corpora.sentences import Sentence
from hpo.errors import unknown

Form = Literal["cased", "uncased", "ne-lower"]

FORMS: tuple[Form, ...] = ("cased", "uncased", "ne-lower")
"""The forms in the order of the numbers that `Composition.forms` uses."""


class _Rule(NamedTuple):
    forms: tuple[Form, ...]
    arrangement: Literal["alone", "mix", "both"]


_RULES: dict[str, _Rule] = {
    "cased": _Rule(("cased",), "alone"),
    "uncased": _Rule(("uncased",), "alone"),
    "uncased-cased-mix": _Rule(("cased", "uncased"), "mix"),
    "uncased-cased-both": _Rule(("cased", "uncased"), "both"),
    "ne-lower": _Rule(("ne-lower",), "alone"),
    "ne-lower-cased-mix": _Rule(("cased", "ne-lower"), "mix"),
    "ne-lower-cased-both": _Rule(("cased", "ne-lower"), "both"),
}

VARIANTS: tuple[str, ...] = tuple(_RULES)
"""The variants in the order of the result matrix's columns."""


class Composition(NamedTuple):
    """Which form of which sentence makes up a variant, in order.

    *Shape:* both ``(sentences of the variant,)``. ``forms`` index `FORMS`; ``sentences`` index the
    sentences that the variant was composed of.
    """

    forms: npt.NDArray[np.int8]
    sentences: npt.NDArray[np.int32]


def forms_of(variant: str) -> tuple[Form, ...]:
    """The forms that a variant is made of, in the order of `FORMS`.

    Raises
    ------
    UserError
        if there is no such variant.
    """
    return _rule(variant).forms


def form(sentence: Sentence, name: Form) -> Sentence:
    """One form of a sentence; the sentence itself where the form coincides with it.

    Lower-casing is `str.lower` token by token, even where that changes a token's length.
    """
    if name == "cased":
        return sentence
    tokens = tuple(
        token.lower() if name == "uncased" or label != "O" else token
        for token, label in zip(sentence.tokens, sentence.labels, strict=True)
    )
    return sentence if tokens == sentence.tokens else replace(sentence, tokens=tokens)


def compose(variant: str, sentences: Sequence[Sentence], seed: int) -> Composition:
    """Lay out a variant of some sentences without writing it out; see `draw` and `arrange`.

    Raises
    ------
    UserError
        if there is no such variant.
    """
    return arrange(variant, draw(sentences, seed))


def draw(sentences: Sequence[Sentence], seed: int) -> npt.NDArray[np.bool_]:
    """Whether a mix lowers each sentence; *shape:* ``(sentences,)``.

    The draw depends on the seed and the sentence's `Sentence.identity` alone: a subset draws as the
    whole does, both mixes draw alike, and sentences that share an identity share a form.
    """
    # Python's own hash differs from process to process, and a generator's draw depends on its place.
    keyed = blake2b(key=str(seed).encode(), digest_size=1)
    drawn = (_drawn(sentence.identity, keyed.copy()) for sentence in sentences)
    return np.fromiter(drawn, np.bool_, len(sentences))


def arrange(variant: str, drawn: npt.NDArray[np.bool_]) -> Composition:
    """Lay out a variant of as many sentences as were drawn for.

    In a both variant the two forms of a sentence follow each other, cased first.

    Raises
    ------
    UserError
        if there is no such variant.
    """
    rule = _rule(variant)
    numbers = np.array([FORMS.index(name) for name in rule.forms], dtype=np.int8)
    every = np.arange(len(drawn), dtype=np.int32)
    if rule.arrangement == "both":
        return Composition(np.tile(numbers, len(drawn)), np.repeat(every, 2))
    if rule.arrangement == "mix":
        return Composition(numbers[drawn.astype(np.intp)], every)
    return Composition(np.repeat(numbers, len(drawn)), every)


def apply(variant: str, sentences: Sequence[Sentence], seed: int) -> tuple[Sentence, ...]:
    """Write a variant of some sentences out, in the order of `compose`.

    Raises
    ------
    UserError
        if there is no such variant.
    """
    layout = compose(variant, sentences, seed)
    return tuple(
        form(sentences[place], FORMS[number])
        for number, place in zip(layout.forms, layout.sentences, strict=True)
    )


def _rule(variant: str) -> _Rule:
    if variant not in _RULES:
        raise unknown("variant", "case variant", variant, VARIANTS)
    return _RULES[variant]


def _drawn(identity: str, keyed: blake2b) -> int:
    # Broken files can hold lone surrogates, which plain UTF-8 refuses.
    keyed.update(identity.encode("utf-8", "surrogatepass"))
    return keyed.digest()[0] & 1
