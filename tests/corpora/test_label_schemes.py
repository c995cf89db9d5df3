"""Label schemes are detected, and converted to IOB2 without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.corpora.label_schemes import OUTSIDE, SCHEMES, LabelConverter, detect_outside_label, detect_scheme

KINDS = ("PER", "LOC", "WORK-ART")
Chunk = tuple[str, int]
chunks = st.lists(st.tuples(st.sampled_from((*KINDS, OUTSIDE)), st.integers(1, 4)), max_size=8)


def write_iob2(found: list[Chunk]) -> list[str]:
    """Return IOB2 labels of consecutive chunks; the type `O` is a run of tokens outside entities."""
    labels = []
    for kind, length in found:
        if kind == OUTSIDE:
            labels += [OUTSIDE] * length
        else:
            labels += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
    return labels


def write_iob1(found: list[Chunk]) -> list[str]:
    labels = write_iob2(found)
    return [
        f"I-{label[2:]}" if label[0] == "B" and (not place or labels[place - 1][2:] != label[2:]) else label
        for place, label in enumerate(labels)
    ]


def write_closed(found: list[Chunk], begin: str, inside: str, end: str, single: str) -> list[str]:
    labels = []
    for kind, length in found:
        prefixes = [single] if length == 1 else [begin, *[inside] * (length - 2), end]
        labels += [OUTSIDE] * length if kind == OUTSIDE else [f"{prefix}-{kind}" for prefix in prefixes]
    return labels


@given(chunks)
def test_to_iob2_of_iob2_is_unchanged(found: list[Chunk]) -> None:
    labels = write_iob2(found)
    assert LabelConverter("IOB2").to_iob2(labels) == (tuple(labels), 0)


@given(chunks)
def test_to_iob2_of_iob1_needs_no_repairs(found: list[Chunk]) -> None:
    assert LabelConverter("IOB1").to_iob2(write_iob1(found)) == (tuple(write_iob2(found)), 0)


@pytest.mark.parametrize(("scheme", "prefixes"), [("BILOU", "BILU"), ("BIOES", "BIES"), ("BMES", "BMES")])
@given(found=chunks)
def test_to_iob2_of_closing_schemes_needs_no_repairs(scheme: str, prefixes: str, found: list[Chunk]) -> None:
    labels = write_closed(found, *prefixes)
    assert LabelConverter(scheme).to_iob2(labels) == (tuple(write_iob2(found)), 0)
    if any(kind != OUTSIDE and length > 2 for kind, length in found):
        assert SCHEMES[detect_scheme([labels])].convert is SCHEMES[scheme].convert


@given(chunks)
def test_to_iob2_of_plain_joins_equal_neighbours(found: list[Chunk]) -> None:
    merged: list[Chunk] = []
    for kind, length in found:
        if merged and merged[-1][0] == kind:
            merged[-1] = (kind, merged[-1][1] + length)
        else:
            merged.append((kind, length))
    labels = [kind for kind, length in found for _ in range(length)]
    assert LabelConverter("plain").to_iob2(labels) == (tuple(write_iob2(merged)), 0)


@given(st.lists(st.sampled_from([OUTSIDE, "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=12))
def test_to_iob2_is_idempotent_and_counts_repairs(labels: list[str]) -> None:
    reader = LabelConverter("IOB2")
    read, repaired = reader.to_iob2(labels)
    assert repaired == sum(before != after for before, after in zip(labels, read, strict=True))
    assert reader.to_iob2(read) == (read, 0)


@pytest.mark.parametrize(
    ("labels", "read", "repaired"),
    [
        (["O", "I-PER", "I-PER"], ["O", "B-PER", "I-PER"], 1),
        (["B-PER", "I-LOC"], ["B-PER", "B-LOC"], 1),
        (["B-PER", "O", "I-PER"], ["B-PER", "O", "B-PER"], 1),
    ],
)
def test_to_iob2_misplaced_inside_label_begins_entity(
    labels: list[str], read: list[str], repaired: int
) -> None:
    assert LabelConverter("IOB2").to_iob2(labels) == (tuple(read), repaired)


@pytest.mark.parametrize(
    ("labels", "read", "repaired"),
    [
        (["B-PER", "O"], ["B-PER", "O"], 1),
        (["B-PER", "I-PER"], ["B-PER", "I-PER"], 1),
        (["O", "L-PER"], ["O", "B-PER"], 1),
        (["U-PER", "I-PER", "L-PER"], ["B-PER", "B-PER", "I-PER"], 1),
        (["B-PER", "U-PER"], ["B-PER", "B-PER"], 1),
    ],
)
def test_to_iob2_unclosed_entity_is_repaired(labels: list[str], read: list[str], repaired: int) -> None:
    assert LabelConverter("BILOU").to_iob2(labels) == (tuple(read), repaired)


@pytest.mark.parametrize(
    ("scheme", "sentences"),
    [
        ("IOB2", []),
        ("IOB2", [["O", "O"]]),
        ("IOB2", [["O", "B-PER", "I-PER"], ["I-LOC", "O"]]),
        ("IOB1", [["O", "I-PER", "I-PER"], ["I-LOC", "B-LOC"]]),
        ("IOB1", [["O", "I-PER"]]),
        ("plain", [["O", "PER", "PER", "LOC"]]),
        ("plain", [["O", "E-MAIL", "PER", "LOC"]]),
        ("BIOES", [["S-PER", "O", "B-LOC", "E-LOC"]]),
        ("BILOU", [["U-PER", "O", "B-LOC", "L-LOC"]]),
        ("BMES", [["B-PER", "M-PER", "E-PER"]]),
    ],
)
def test_detect_scheme_returns_scheme_of_corpus(scheme: str, sentences: list[list[str]]) -> None:
    assert detect_scheme(sentences) == scheme


def test_detect_scheme_ignores_single_mistyped_label() -> None:
    assert detect_scheme([["B-PER", "I-PER", "O"]] * 5 + [["B-PER", "E-PER"]]) == "IOB2"


@pytest.mark.parametrize(
    ("labels", "outside"), [("O 0 PER", "O"), ("0 PER", "0"), ("_ B-PER", "_"), ("PER", "O")]
)
def test_detect_outside_label_returns_symbol_of_corpus(labels: str, outside: str) -> None:
    assert detect_outside_label(labels.split()) == outside


def test_to_iob2_given_outside_label_becomes_o() -> None:
    assert LabelConverter("plain", {"none"}).to_iob2(["none", "PER"]) == (("O", "B-PER"), 0)


@pytest.mark.parametrize("label", ["", "B-", "X-PER", "PER", "b-PER", "-PER", "0", "BB-PER"])
def test_problem_with_invalid_label_is_not_empty(label: str) -> None:
    assert LabelConverter("IOB2").problem_with(label)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_problem_with_accepts_own_labels_and_rejects_empty(scheme: str) -> None:
    reader = LabelConverter(scheme)
    assert reader.problem_with("") == "label is empty"
    for label in [OUTSIDE, *(f"{prefix}-PER" for prefix in SCHEMES[scheme].prefixes)]:
        assert reader.problem_with(label) == ""
    assert LabelConverter("plain").problem_with("PER") == ""
    assert LabelConverter("plain").problem_with("B-PER")
