"""Plain data types used throughout the package: sentences, and corpora made of splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and one IOB2 label per token.

    Labels have the corpus's raw types until a tag family is applied, then the family's types.
    ``auto_labels`` is a second layer of IOB2 labels, made automatically, if the corpus has one.
    ``document`` identifies the sentence's document; empty if the corpus has no document boundaries.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    id: str = ""
    auto_labels: tuple[str, ...] | None = None
    document: str = field(default="", compare=False)

    @property
    def identity(self) -> str:
        """The key of seeded draws: id and tokens, because an id may be shared by a whole document."""
        return "\x1f".join((self.id, *self.tokens))


@dataclass(frozen=True)
class Corpus:
    """The sentences of one source, by split.

    ``splits`` holds some of `SPLITS`, in that order. ``notes`` describes what loading did to the data, such
    as repairing labels or splitting dev from train. ``type_locations`` gives the ``file:line`` of the first
    entity of each raw type. ``sha256`` is the hash of the source files. ``scheme`` is the label scheme of the
    source, a name in `hpo.corpora.label_schemes.SCHEMES`.
    """

    name: str
    splits: Mapping[str, tuple[Sentence, ...]]
    sha256: str
    notes: tuple[str, ...] = ()
    type_locations: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "IOB2"
