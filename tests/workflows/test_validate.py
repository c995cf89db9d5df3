"""Validation of YAML files: the shipped ones are valid, and errors have their lines."""

from pathlib import Path

import pytest

from hpo.config.study import build_study
from hpo.errors import UserError
from hpo.workflows.validate import validate_file

REPOSITORY = Path(__file__).resolve().parents[2]
KINDS = {"search_spaces": "search space", "tag_families": "tag family", "results/published": "study"}
SHIPPED = sorted(
    (path, kind) for folder, kind in KINDS.items() for path in REPOSITORY.glob(f"{folder}/*.yaml")
)


def test_shipped_files_of_every_kind_exist():
    assert {kind for _, kind in SHIPPED} == set(KINDS.values())


@pytest.mark.parametrize(
    ("path", "kind"), SHIPPED, ids=[f"{path.parent.name}/{path.stem}" for path, _ in SHIPPED]
)
def test_validate_file_shipped_file_is_valid(path, kind):
    assert validate_file(path) == kind


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("my.yaml", build_study({}).to_yaml(), "study"),
        ("my.yaml", "trials: 3\n", "study"),
        ("corpus.yaml", "scheme: IOB2\n", "corpus"),
        ("my.yaml", "parameters: {weight_decay: {type: uniform, low: 0, high: 1}}\n", "search space"),
    ],
)
def test_validate_file_returns_the_kind(tmp_path, name, text, kind):
    path = tmp_path / name
    path.write_text(text)
    assert validate_file(path) == kind


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("my.yaml", "trials: 0\nseed: -1\n", [1, 2]),
        ("my.yaml", "parameters:\n  a: {type: int, low: 1, high: 2}\n  b: {type: uniform}\n", [3]),
        (
            "my.yaml",
            "parameters:\n  a: {type: int, low: 1, high: 2}\n  epochs: {type: int, low: 1, high: 2}\n",
            [2],
        ),
        ("my.yaml", "mapping: {a: b}\ntypes: [c]\n", [1]),
        ("corpus.yaml", "scheme: nope\n\ncolums: {}\n", [1, 3]),
        ("corpus.yaml", "name: x\nformat: nope\n", [2]),
        ("my.yaml", "trials: 3\ntags: nope\n", [2]),
        ("my.yaml", "trials: 0\ntags: nope\nkeep: 2\n", [1, 2, 3]),
        ("corpus.yaml", "scheme: nope\nformat: nope\n", [1, 2]),
        ("my.yaml", "seed: 3\ntrials: true\n", [2]),
        ("my.yaml", "seed: 3\nfixed: {epochs: true}\n", [2]),
        ("my.yaml", "- trials: 3\n", [1]),
        ("my.yaml", "", None),
    ],
)
def test_validate_file_issues_have_their_lines(tmp_path, name, text, lines):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        validate_file(path)
    places = {issue.location for issue in caught.value.issues}
    assert places >= ({f"{path}:{line}" for line in lines} if lines else {str(path)})
