"""The seven case variants of a set of sentences, composed of three forms of each sentence.

Token counts and labels never change, so a variant is a sequence of pairs (form, sentence): `compose`
returns it as arrays of indices, and `apply` as sentences.
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
"""The forms, in the order of their indices in `Composition.forms`."""


class _Rule(NamedTuple):
    forms: tuple[Form, ...]
    arrangement: Literal["single", "mix", "both"]


_RULES: dict[str, _Rule] = {
    "cased": _Rule(("cased",), "single"),
    "uncased": _Rule(("uncased",), "single"),
    "uncased-cased-mix": _Rule(("cased", "uncased"), "mix"),
    "uncased-cased-both": _Rule(("cased", "uncased"), "both"),
    "ne-lower": _Rule(("ne-lower",), "single"),
    "ne-lower-cased-mix": _Rule(("cased", "ne-lower"), "mix"),
    "ne-lower-cased-both": _Rule(("cased", "ne-lower"), "both"),
}

VARIANTS: tuple[str, ...] = tuple(_RULES)
"""The variants, in the order of the result matrix's columns."""


class Composition(NamedTuple):
    """The form and the source sentence of each sentence of a variant.

    *Shape:* both ``(sentences of the variant,)``. ``forms`` are indices into `FORMS`; ``sentences`` are
    indices into the source sentences.
    """

    forms: npt.NDArray[np.int8]
    sentences: npt.NDArray[np.int32]


def forms_of(variant: str) -> tuple[Form, ...]:
    """Return the forms that a variant is composed of, in the order of `FORMS`.

    Raises
    ------
    UserError
        If the variant is unknown.
    """
    return _rule(variant).forms


def form(sentence: Sentence, name: Form) -> Sentence:
    """Return one form of a sentence, or the same object if the form equals it.

    Tokens are lower-cased one by one with `str.lower`, even if that changes their length.
    """
    if name == "cased":
        return sentence
    tokens = tuple(
        token.lower() if name == "uncased" or label != "O" else token
        for token, label in zip(sentence.tokens, sentence.labels, strict=True)
    )
    return sentence if tokens == sentence.tokens else replace(sentence, tokens=tokens)


def compose(variant: str, sentences: Sequence[Sentence], seed: int) -> Composition:
    """Compose a variant of these sentences: `arrange` with the draw of `draw`.

    Raises
    ------
    UserError
        If the variant is unknown.
    """
    return arrange(variant, draw(sentences, seed))


def draw(sentences: Sequence[Sentence], seed: int) -> npt.NDArray[np.bool_]:
    """Draw which sentences a mix lower-cases; *shape:* ``(sentences,)``.

    The draw depends only on the seed and the `Sentence.identity`. It is therefore the same in a subset,
    the same for both mixes, and the same for sentences with equal identities.
    """
    # Python's hash differs between processes, and a random generator's draw depends on the position.
    keyed = blake2b(key=str(seed).encode(), digest_size=1)
    drawn = (_drawn(sentence.identity, keyed.copy()) for sentence in sentences)
    return np.fromiter(drawn, np.bool_, len(sentences))


def arrange(variant: str, drawn: npt.NDArray[np.bool_]) -> Composition:
    """Compose a variant from the result of `draw`.

    A "both" variant has the two forms of a sentence next to each other, cased first.

    Example: ``uncased-cased-both`` of two sentences has forms ``[0, 1, 0, 1]`` and sentences
    ``[0, 0, 1, 1]``; ``uncased-cased-mix`` with ``drawn = [False, True]`` has forms ``[0, 1]`` and
    sentences ``[0, 1]``.

    Raises
    ------
    UserError
        If the variant is unknown.
    """
    rule = _rule(variant)
    numbers = np.array([FORMS.index(name) for name in rule.forms], dtype=np.int8)
    indices = np.arange(len(drawn), dtype=np.int32)
    if rule.arrangement == "both":
        return Composition(np.tile(numbers, len(drawn)), np.repeat(indices, 2))
    if rule.arrangement == "mix":
        return Composition(numbers[drawn.astype(np.intp)], indices)
    return Composition(np.repeat(numbers, len(drawn)), indices)


def apply(variant: str, sentences: Sequence[Sentence], seed: int) -> tuple[Sentence, ...]:
    """Return the sentences of a variant, in the order of `compose`.

    Raises
    ------
    UserError
        If the variant is unknown.
    """
    composition = compose(variant, sentences, seed)
    return tuple(
        form(sentences[sentence], FORMS[number])
        for number, sentence in zip(composition.forms, composition.sentences, strict=True)
    )


def _rule(variant: str) -> _Rule:
    if variant not in _RULES:
        raise unknown("variant", "case variant", variant, VARIANTS)
    return _RULES[variant]


def _drawn(identity: str, keyed: blake2b) -> int:
    # Damaged files can contain lone surrogates, which strict UTF-8 rejects.
    keyed.update(identity.encode("utf-8", "surrogatepass"))
    return keyed.digest()[0] & 1
