"""The plain data that every other room passes on: sentences, and the splits of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and one IOB2 label per token.

    Labels are of the corpus's raw types until a tag family has been applied, then of the family's.
    ``auto_labels`` is the corpus's second, automatic layer where it has one, also IOB2.
    ``document`` tells neighbours of different documents apart; in a corpus that knows none it is empty.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    id: str = ""
    auto_labels: tuple[str, ...] | None = None
    document: str = field(default="", compare=False)

    @property
    def identity(self) -> str:
        """What seeded draws depend on: id and tokens, since an id may be that of a whole document."""
        return "\x1f".join((self.id, *self.tokens))


@dataclass(frozen=True)
class Corpus:
    """The sentences of one source, by split.

    ``splits`` holds some of `SPLITS`, in that order. ``notes`` says in plain words what reading
    did to the data (labels repaired, a dev split cut). ``places`` gives, for each raw entity type,
    the ``file:line`` where it stands first. ``sha256`` is over the source files' bytes. ``scheme`` is the one
    in which the source was written, a name in `hpo.corpora.label_schemes.SCHEMES`.
    """

    name: str
    splits: Mapping[str, tuple[Sentence, ...]]
    sha256: str
    notes: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "IOB2"
