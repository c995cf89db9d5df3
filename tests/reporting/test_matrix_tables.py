"""Tests that the result tables equal the published ones, cell by cell."""

from __future__ import annotations

import pytest

from hpo.corpora.variants import VARIANTS
from hpo.evaluation.matrix import MatrixRow
from hpo.reporting.matrix_tables import COLUMNS, render_hyperparameters, render_matrix
from hpo.reporting.tables import render_table

# The published results of KB/bert-base-swedish-cased on SUC 3.0.
DEV = """
| Tag Family | Trained on        | HPO Alg | cased  | uncased | uncased-cased-mix | uncased-cased-both | ne-lower | ne-lower-cased-mix | ne-lower-cased-both  |
| ---------- | ----------------- | ------- | -----  | ------- | ----------------- | ------------------ | -------- | ------------------ | -------------------- |
| Original   | cased             | ASHA    | 0.89669| 0.46699 | 0.72543           | 0.71970            | 0.46980  | 0.72487            | 0.71877              |
| Original   | uncased           | ASHA    | 0.77931| 0.87012 | 0.82533           | 0.82621            | 0.87044  | 0.82607            | 0.82640              |
| Original   | uncased-cased-mix | ASHA    | 0.88407| 0.85457 | 0.86897           | 0.86949            | 0.84911  | 0.86641            | 0.86681              |
| Simple     | cased             | ASHA    | -      | -       | -                 | -                  | -        | -                  | -                    |
"""  # noqa: E501
TEST = """
| Tag Family | Trained on        | HPO Alg | cased  | uncased | uncased-cased-mix | uncased-cased-both | ne-lower | ne-lower-cased-mix | ne-lower-cased-both  |
| ---------- | ----------------- | ------- | -----  | ------- | ----------------- | ------------------ | -------- | ------------------ | -------------------- |
| Original   | cased             | ASHA    | 0.90315| 0.47993 | 0.72141           | 0.72828            | 0.48020  | 0.71946            | 0.72648              |
| Original   | uncased           | ASHA    | 0.78353| 0.86388 | 0.82469           | 0.82493            | 0.86206  | 0.82550            | 0.82406              |
| Original   | uncased-cased-mix | ASHA    | 0.88791| 0.85132 | 0.86593           | 0.86980            | 0.84549  | 0.86198            | 0.86694              |
| Simple     | cased             | ASHA    | -      | -       | -                 | -                  | -        | -                  | -                    |
"""  # noqa: E501
HYPERPARAMETERS = """
| Tag Family | Trained on        | HPO Alg | learning rate | weight decay | warmup ratio | attention dropout | hidden dropout | batch size |
| ---------- | ----------------- | ------- | ------------- | ------------ | ------------ | ----------------- | -------------- | ---------- |
| Original   | cased             | ASHA    | 4.462279e-05  | 0.049931167  | 0.049692212  | 0.061813731       | 0.131402719    | 32         |
| Original   | uncased           | ASHA    | 1.994873e-05  | 0.040402108  | 0.058761397  | 0.191723976       | 0.089677054    | 16         |
| Original   | uncased-cased-mix | ASHA    | 4.567007e-05  | 0.130067974  | 0.018670453  | 0.018893785       | 0.182467284    | 64         |
| Simple     | cased             | ASHA    | -             | -            | -            | -                 | -              | -          |
"""  # noqa: E501

PUBLISHED = {
    "cased": (
        [0.89669, 0.46699, 0.72543, 0.71970, 0.46980, 0.72487, 0.71877],
        [0.90315, 0.47993, 0.72141, 0.72828, 0.48020, 0.71946, 0.72648],
        [4.462279e-05, 0.049931167, 0.049692212, 0.061813731, 0.131402719, 32],
    ),
    "uncased": (
        [0.77931, 0.87012, 0.82533, 0.82621, 0.87044, 0.82607, 0.82640],
        [0.78353, 0.86388, 0.82469, 0.82493, 0.86206, 0.82550, 0.82406],
        [1.994873e-05, 0.040402108, 0.058761397, 0.191723976, 0.089677054, 16],
    ),
    "uncased-cased-mix": (
        [0.88407, 0.85457, 0.86897, 0.86949, 0.84911, 0.86641, 0.86681],
        [0.88791, 0.85132, 0.86593, 0.86980, 0.84549, 0.86198, 0.86694],
        [4.567007e-05, 0.130067974, 0.018670453, 0.018893785, 0.182467284, 64],
    ),
}


def _published() -> list[MatrixRow]:
    """The published rows and one that was not run, out of order."""
    rows = [
        MatrixRow(
            tag_family="Original",
            trained_on=trained_on,
            algorithm="ASHA",
            scores={
                "dev": dict(zip(VARIANTS, dev, strict=True)),
                "test": dict(zip(VARIANTS, test, strict=True)),
            },
            hyperparameters=dict(zip(COLUMNS, hyperparameters, strict=True)),
        )
        for trained_on, (dev, test, hyperparameters) in PUBLISHED.items()
    ]
    return [MatrixRow(tag_family="Simple", trained_on="cased", algorithm="ASHA"), *reversed(rows)]


def _cells(table: str) -> list[list[str]]:
    """The cells of a table's lines, without its rule."""
    lines = [line.strip("|").split("|") for line in table.strip().splitlines()]
    assert all(set(cell.strip()) == {"-"} for cell in lines.pop(1))
    return [[cell.strip() for cell in line] for line in lines]


@pytest.mark.parametrize(("split", "expected"), [("dev", DEV), ("test", TEST)])
def test_render_matrix_equals_the_published_tables(split, expected):
    assert _cells(render_matrix(_published(), split)) == _cells(expected)


def test_render_hyperparameters_equals_the_published_table():
    assert render_hyperparameters(_published()) == HYPERPARAMETERS.lstrip("\n")


def test_render_matrix_pads_columns_to_one_width():
    lines = render_matrix(_published(), "dev").splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("| ---------- | ----------------- | ------- | ------- |")


def test_render_hyperparameters_appends_columns_for_other_hyperparameters():
    rows = [
        MatrixRow(
            tag_family="Original", trained_on="cased", algorithm="ASHA", hyperparameters=hyperparameters
        )
        for hyperparameters in (
            {"learning_rate": 5e-5, "weight_decay": 0.0, "lr_schedule": "cosine"},
            {"batch_size": 16, "epochs": 10, "lr_schedule": "linear", "label_smoothing": 0.1},
        )
    ]
    heading, *lines = _cells(render_hyperparameters(rows))
    assert heading[9:] == ["lr schedule", "epochs", "label smoothing"]
    assert lines[0][3:] == ["5.000000e-05", "0", "-", "-", "-", "-", "cosine", "-", "-"]
    assert lines[1][3:] == ["-", "-", "-", "-", "-", "16", "linear", "10", "0.1"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "0.1"),
        (0.1 + 0.2, "0.3"),
        (1.0, "1"),
        (10.0, "10"),
        (20, "20"),
        (0.0000123456, "0.000012346"),
        (1.5e-10, "1.500000e-10"),
        (-0.25, "-0.25"),
        (True, "True"),
    ],
)
def test_render_hyperparameters_formats_values_exactly(value, expected):
    row = MatrixRow(
        tag_family="Original", trained_on="cased", algorithm="ASHA", hyperparameters={"weight_decay": value}
    )
    assert _cells(render_hyperparameters([row]))[1][4] == expected


def test_render_table_escapes_bars_and_newlines():
    assert render_table(["a"], [["x|y\nz"]]) == "| a      |\n| ------ |\n| x\\|y z |\n"
