"""Tests of the result matrix: its file, its cells and the order of its rows."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hpo.corpora.spans import Scores, TypeScore
from hpo.errors import UserError
from hpo.evaluation.matrix import Matrix, MatrixRow, read_matrix, sort_rows
from hpo.storage.atomic import write_json

SCORES = Scores(0.1 + 0.2, 1.0, 1 / 3, 1, 3, 1, 0.5, 1.0, 0.6, {"PER": TypeScore(1.0, 1.0, 1.0, 1, 1, 1)})


def _row(family="Original", trained_on="cased", algorithm="ASHA", **fields) -> MatrixRow:
    return MatrixRow(tag_family=family, trained_on=trained_on, algorithm=algorithm, **fields)


def test_read_matrix_returns_what_was_written(tmp_path):
    row = _row(
        scores={"dev": {"cased": SCORES, "uncased": 0.46699, "ne-lower": None}, "test": {"cased": 1.0}},
        hyperparameters={
            "learning_rate": 4.462279e-05,
            "batch_size": 32,
            "lr_schedule": "linear",
            "crf": True,
        },
        study="demo-asha",
        corpus="demo",
        corpus_sha256="ab" * 32,
        model="tiny",
        seed=42,
    )
    matrix = Matrix(rows=(row, _row(algorithm="PBT")))
    write_json(tmp_path / "matrix.json", matrix.model_dump(mode="json"))
    again = read_matrix(tmp_path / "matrix.json")
    assert again == matrix
    assert isinstance(again.rows[0].scores["dev"]["cased"], Scores)
    assert list(map(type, again.rows[0].hyperparameters.values())) == [float, int, str, bool]


def test_row_f1_of_a_cell_is_a_number_or_none():
    row = _row(scores={"dev": {"cased": SCORES, "uncased": 0.0, "ne-lower": None}})
    assert row.f1("dev", "cased") == 1 / 3
    assert row.f1("dev", "uncased") == 0.0
    assert row.f1("dev", "ne-lower") is None
    assert row.f1("dev", "ne-lower-cased-mix") is None
    assert row.f1("test", "cased") is None


def test_sort_rows_orders_by_family_variant_and_algorithm():
    expected = [
        _row("Original", "cased", "ASHA-27"),
        _row("Original", "cased", "ASHA-100"),
        _row("Original", "uncased", "PBT"),
        _row("Original", "uncased-cased-mix", "ASHA"),
        _row("Original", "ne-lower", "ASHA", study="seed-2"),
        _row("Original", "ne-lower", "ASHA", study="seed-10"),
        _row("Simple", "cased", "ASHA"),
    ]
    assert sort_rows(reversed(expected)) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trained_on": "upper"}, "upper: must be among cased, uncased"),
        ({"scores": {"validation": {}}}, "validation: must be among train, dev, test"),
        ({"scores": {"dev": {"upper": 0.5}}}, "upper: must be among cased, uncased"),
        ({"scores": {"dev": {"cased": 89.669}}}, "less than or equal to 1"),
        ({"hyperparameters": {"learning_rate": float("nan")}}, "finite"),
    ],
)
def test_row_with_invalid_fields_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        _row(**fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "matrix.json: cannot be read"),
        ("{\n]", "matrix.json:2: is not valid JSON"),
        ("[]", "must be a mapping"),
        ('{"rows": [{"tag_family": "Original", "trained_on": "cased"}]}', "rows.0.algorithm: is required"),
    ],
)
def test_read_matrix_of_an_invalid_file_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "matrix.json").write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        read_matrix(tmp_path / "matrix.json")
