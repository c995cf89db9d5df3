"""Tag families: the entity types that a model is trained and scored on, and what maps to them."""

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
    """What a family takes from a corpus's second, automatic layer of labels.

    ``kept`` maps automatic types that stand where nothing is labelled by hand to a family type, or
    to nothing. All other automatic labels only confirm or contradict the manual ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kept: Mapping[str, str | None]


class TagFamily(BaseModel):
    """A label set, and the map from raw entity types to it.

    ``title`` is what the result matrix shows. ``types`` are in the order of their label numbers.
    ``mapping`` gives each raw type that may occur a family type, or nothing, which reads as ``O``.
    ``automatic`` is for families that make use of an automatic layer where the corpus carries one.
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
            raise ValueError(f"an entity type may stand only once, not so: {', '.join(repeated)}")
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
    """Read a family, by its name or as a path to a YAML file.

    Raises
    ------
    UserError
        if there is no such family, or its file has problems.
    """
    return validate(TagFamily, read_yaml(find_preset("tag_families", name_or_path)))


def apply(family: TagFamily, corpus: Corpus) -> Corpus:
    """Give a corpus the labels of a family, in every split, and say in its notes what was lost.

    A sentence with an automatic layer goes through the rule by which KBLab made its simple SUC tags
    if the family asks for it. Token by token, the first of these that holds: a mapped manual label
    stays where the automatic label is the same, B or I included; it stays where there is no
    automatic label; an automatic label of the `AutomaticLayer.kept` types stays where nothing is
    labelled by hand; ``O`` stays ``O``; else the whole sentence is dropped.

    The published wording leaves open what becomes of a manual type that maps to nothing (SUC's
    *other*). Here it counts as a manual label that cannot be kept, so the sentence is dropped: read
    as ``O`` it would save 58 of the 2,900 sentences of which it is known that they were dropped.
    Without an automatic layer such a label simply reads as ``O``. An ``I-`` whose ``B-`` the rule
    took away becomes a ``B-``, which is how it would be scored in any case.

    Splits may come out empty. The result carries no automatic layer.

    Raises
    ------
    UserError
        if the corpus has entity types that the family does not list, with one problem for each.
    """
    found = _raw_types(corpus)
    _refuse_unlisted(family, corpus, found)
    labels = {
        f"{prefix}-{name}": f"{prefix}-{target}" if target else "O"
        for name, target in family.mapping.items()
        for prefix in "BI"
    } | {"O": "O"}
    splits = {}
    for split, sentences in corpus.splits.items():
        relabelled = (_relabel(sentence, labels, family.automatic) for sentence in sentences)
        splits[split] = tuple(sentence for sentence in relabelled if sentence is not None)
    return replace(corpus, splits=splits, notes=(*corpus.notes, *_losses(family, corpus, splits, found)))


def _check_targets(mapping: Mapping[str, str | None], info: ValidationInfo) -> None:
    types = info.data.get("types")
    if types is None:
        return  # the types have a problem of their own, which is told
    strange = sorted({target for target in mapping.values() if target is not None and target not in types})
    if strange:
        raise ValueError(f"maps to what is not among the types: {', '.join(strange)}")


def _raw_types(corpus: Corpus) -> list[str]:
    labels: set[str] = set()
    for sentences in corpus.splits.values():
        for sentence in sentences:
            labels.update(sentence.labels)
    return sorted({label[2:] for label in labels if label != "O"})


def _refuse_unlisted(family: TagFamily, corpus: Corpus, found: Sequence[str]) -> None:
    hint = f"known: {', '.join(family.mapping)}; list it in a mapping, with a type or null"
    issues = [
        Issue(
            corpus.places.get(name, corpus.name),
            f"the tag family {family.name} does not list this entity type",
            name,
            hint,
        )
        for name in found
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
    agreed: list[str] = []
    for raw, manual, guessed in zip(sentence.labels, mapped, sentence.auto_labels, strict=True):
        label = _agreed(raw, manual, guessed, automatic.kept)
        if label is None:
            return None
        agreed.append(label)
    return replace(sentence, labels=_repaired(agreed), auto_labels=None)


def _agreed(raw: str, manual: str, guessed: str, kept: Mapping[str, str | None]) -> str | None:
    """The label of one token by the published rule, or None where its sentence is to be dropped."""
    if raw != "O":
        return manual if manual != "O" and guessed in ("O", manual) else None
    if guessed == "O":
        return "O"
    prefix, name = guessed[:2], guessed[2:]
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


def _losses(
    family: TagFamily,
    corpus: Corpus,
    splits: Mapping[str, Sequence[Sentence]],
    found: Sequence[str],
) -> list[str]:
    notes = []
    lost = {split: len(sentences) - len(splits[split]) for split, sentences in corpus.splits.items()}
    if any(lost.values()):
        where = ", ".join(f"{split} {lost[split]:,} of {len(corpus.splits[split]):,}" for split in lost)
        notes.append(
            f"{sum(lost.values()):,} sentences dropped: manual and automatic labels do not agree by the rule "
            f"of the tag family {family.name} ({where})"
        )
    outside = [name for name in found if family.mapping[name] is None]
    if outside:
        notes.append(f"read as O by the tag family {family.name}: {', '.join(outside)}")
    return notes
