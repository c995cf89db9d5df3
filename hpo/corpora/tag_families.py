"""Tag families: the entity types that a model is trained and scored on, and how raw types map to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import Issue, UserError
from hpo.storage.presets import find_preset
from hpo.storage.yaml_files import read_yaml, validate


class AutomaticLayer(BaseModel):
    """How a family uses a corpus's second, automatic layer of labels.

    ``kept`` maps automatic types of tokens without a manual label to a family type, or to None (`O`).
    All other automatic labels only confirm or contradict the manual ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kept: Mapping[str, str | None]


class TagFamily(BaseModel):
    """A list of entity types, and the mapping from raw types to them.

    ``title`` is the name in the result matrix. ``types`` are in the order of their label numbers.
    ``mapping`` maps each permitted raw type to a family type, or to None, which becomes ``O``.
    ``automatic`` is set for families that use the automatic layer of a corpus that has one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(pattern=r"^[^|\n]+$")
    description: str
    types: tuple[str, ...] = Field(min_length=1)
    mapping: Mapping[str, str | None]
    automatic: AutomaticLayer | None = None

    @field_validator("types")
    @classmethod
    def _unique(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({name for name in types if types.count(name) > 1})
        if repeated:
            raise ValueError(f"duplicate entity type: {', '.join(repeated)}")
        return types

    @field_validator("mapping")
    @classmethod
    def _mapped_within_types(
        cls, mapping: Mapping[str, str | None], info: ValidationInfo
    ) -> Mapping[str, str | None]:
        _check_targets(mapping, info)
        return mapping

    @field_validator("automatic")
    @classmethod
    def _kept_within_types(cls, layer: AutomaticLayer | None, info: ValidationInfo) -> AutomaticLayer | None:
        _check_targets(layer.kept if layer else {}, info)
        return layer

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        reached = {*self.mapping.values(), *(self.automatic.kept.values() if self.automatic else ())}
        missed = [name for name in self.types if name not in reached]
        if missed:
            raise ValueError(f"types: no raw type maps to {', '.join(missed)}")
        return self


def load_family(name_or_path: str) -> TagFamily:
    """Load a family by name, or from a path to a YAML file.

    Raises
    ------
    UserError
        If the family is unknown or its file is invalid.
    """
    return validate(TagFamily, read_yaml(find_preset("tag_families", name_or_path)))


def apply(family: TagFamily, corpus: Corpus) -> Corpus:
    """Convert the labels of a corpus to a family, in every split, and add notes about what was dropped.

    If the family uses the automatic layer and a sentence has one, KBLab's rule for its simple SUC tags
    decides the label of each token; the first case that applies counts:

    1. The automatic label equals the mapped manual label, including B or I: keep it.
    2. There is a mapped manual label and no automatic one: keep it.
    3. There is no manual label, and the automatic one has a type in `AutomaticLayer.kept`: keep that.
    4. There is neither: ``O``.
    5. Otherwise drop the whole sentence.

    The published rule does not say what happens to a manual type without a family type (SUC's *other*).
    Here the sentence is dropped, because reading the label as ``O`` would keep 58 of the 2,900 sentences
    that KBLab is known to have dropped. Without an automatic layer such a label becomes ``O``. An ``I-``
    whose ``B-`` was removed becomes a ``B-``, which is also how it would be scored.

    Splits can become empty. The result has no automatic layer.

    Raises
    ------
    UserError
        If the corpus has entity types that the family does not list, with one issue for each.
    """
    raw_types = _raw_types(corpus)
    _check_listed(family, corpus, raw_types)
    labels = {
        f"{prefix}-{name}": f"{prefix}-{target}" if target else "O"
        for name, target in family.mapping.items()
        for prefix in "BI"
    } | {"O": "O"}
    splits = {}
    for split, sentences in corpus.splits.items():
        relabelled = (_relabel(sentence, labels, family.automatic) for sentence in sentences)
        splits[split] = tuple(sentence for sentence in relabelled if sentence is not None)
    return replace(corpus, splits=splits, notes=(*corpus.notes, *_notes(family, corpus, splits, raw_types)))


def _check_targets(mapping: Mapping[str, str | None], info: ValidationInfo) -> None:
    types = info.data.get("types")
    if types is None:
        return  # the types are invalid, which is reported as another issue
    unknown = sorted({target for target in mapping.values() if target is not None and target not in types})
    if unknown:
        raise ValueError(f"maps to unlisted types: {', '.join(unknown)}")


def _raw_types(corpus: Corpus) -> list[str]:
    labels: set[str] = set()
    for sentences in corpus.splits.values():
        for sentence in sentences:
            labels.update(sentence.labels)
    return sorted({label[2:] for label in labels if label != "O"})


def _check_listed(family: TagFamily, corpus: Corpus, raw_types: Sequence[str]) -> None:
    hint = f"known: {', '.join(family.mapping)}; add it to `mapping`, with a type or null"
    issues = [
        Issue(
            corpus.type_locations.get(name, corpus.name),
            f"entity type is not listed by the tag family {family.name}",
            name,
            hint,
        )
        for name in raw_types
        if name not in family.mapping
    ]
    if issues:
        raise UserError(issues)


def _relabel(
    sentence: Sentence, labels: Mapping[str, str], automatic: AutomaticLayer | None
) -> Sentence | None:
    mapped = [labels[label] for label in sentence.labels]
    if automatic is None or sentence.auto_labels is None:
        return replace(sentence, labels=tuple(mapped), auto_labels=None)
    merged: list[str] = []
    for raw, manual, auto in zip(sentence.labels, mapped, sentence.auto_labels, strict=True):
        label = _merge(raw, manual, auto, automatic.kept)
        if label is None:
            return None
        merged.append(label)
    return replace(sentence, labels=_repaired(merged), auto_labels=None)


def _merge(raw: str, manual: str, auto: str, kept: Mapping[str, str | None]) -> str | None:
    """Return the label of one token by the published rule, or None if its sentence must be dropped."""
    if raw != "O":
        return manual if manual != "O" and auto in ("O", manual) else None
    if auto == "O":
        return "O"
    prefix, name = auto[:2], auto[2:]
    if name not in kept:
        return None
    target = kept[name]
    return prefix + target if target else "O"


def _repaired(labels: Sequence[str]) -> tuple[str, ...]:
    before = ("O", *labels)
    return tuple(
        f"B-{label[2:]}" if label.startswith("I-") and last[2:] != label[2:] else label
        for last, label in zip(before, labels, strict=False)
    )


def _notes(
    family: TagFamily,
    corpus: Corpus,
    splits: Mapping[str, Sequence[Sentence]],
    raw_types: Sequence[str],
) -> list[str]:
    notes = []
    dropped = {split: len(sentences) - len(splits[split]) for split, sentences in corpus.splits.items()}
    if any(dropped.values()):
        where = ", ".join(f"{split} {dropped[split]:,} of {len(corpus.splits[split]):,}" for split in dropped)
        notes.append(
            f"{sum(dropped.values()):,} sentences dropped: manual and automatic labels disagree under the "
            f"rule of the tag family {family.name} ({where})"
        )
    outside = [name for name in raw_types if family.mapping[name] is None]
    if outside:
        notes.append(f"read as O by the tag family {family.name}: {', '.join(outside)}")
    return notes
