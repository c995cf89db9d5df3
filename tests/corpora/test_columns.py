"""Column files in the forms that occur in practice."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.corpora.formats.options import Columns, CorpusOptions
from hpo.corpora.loading import load
from hpo.corpora.sentences import Corpus, Sentence
from hpo.errors import UserError


def read_text(folder: Path, text: str, options: CorpusOptions | None = None) -> Corpus:
    path = folder / "train.conll"
    path.write_text(text, encoding="utf-8")
    return load(str(path), split_dev=False, options=options)


def test_read_accepts_different_separators_in_one_file(tmp_path: Path) -> None:
    corpus = read_text(tmp_path, "Lund\tLOC\noch   0\nt ex\t0\n\nMalmö LOC\n")
    assert corpus.splits["train"] == (
        Sentence(("Lund", "och", "t ex"), ("B-LOC", "O", "O")),
        Sentence(("Malmö",), ("B-LOC",)),
    )
    assert corpus.notes == ("labels are plain, converted to IOB2",)


def test_read_padded_columns_keeps_single_spaces_in_tokens(tmp_path: Path) -> None:
    corpus = read_text(tmp_path, "New York   B-LOC   O\ni          O       O\nmaj        O       O\n")
    assert corpus.splits["train"][0].tokens == ("New York", "i", "maj")


def test_read_distinguishes_comments_from_tokens(tmp_path: Path) -> None:
    text = (
        "# newdoc id = d1\n# sent_id = d1-1\n# text = # i Lund\n1\t#\tO\t-\n2\ti\tO\t-\n3\tLund\tB-LOC\t-\n\n"
        "# sent_id = d1-2\n1\t#lund\tO\t-\n2\t# a\tO\t-\n\n# only a comment\n"
    )
    assert read_text(tmp_path, text).splits["train"] == (
        Sentence(("#", "i", "Lund"), ("O", "O", "B-LOC"), "d1-1"),
        Sentence(("#lund", "# a"), ("O", "O"), "d1-2"),
    )


def test_read_comment_with_row_width_is_skipped(tmp_path: Path) -> None:
    corpus = read_text(tmp_path, "# id = 1\nLund NN B-NP B-LOC\n. FE O O\n\n# FE O O\n")
    assert [(s.id, s.tokens) for s in corpus.splits["train"]] == [("1", ("Lund", ".")), ("", ("#",))]


def test_read_short_row_starting_with_hash_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train.conll:1: row does not have 2 columns"):
        read_text(tmp_path, "#lund\ni\tO\nLund\tB-LOC\n\ni\tO\n")


def test_read_ignores_chunk_column(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\nLund NNP B-NP I-ORG\nvann VB B-VP O\n-DOCSTART- -X- O O\ni IN B-PP O\n"
    assert read_text(tmp_path, text).splits["train"] == (
        Sentence(("Lund", "vann"), ("B-ORG", "O")),
        Sentence(("i",), ("O",)),
    )


@pytest.mark.parametrize("first", [0, 1])
def test_read_ignores_token_counter_column(first: int, tmp_path: Path) -> None:
    rows = [("Lund", "B-LOC"), ("1", "O"), ("2", "O")]
    text = "".join(f"{place}\t{token}\t{label}\n" for place, (token, label) in enumerate(rows, first))
    assert read_text(tmp_path, text).splits["train"][0].tokens == ("Lund", "1", "2")


def test_read_id_lines_mark_second_label_column_as_automatic(tmp_path: Path) -> None:
    text = "ab1-c2\nLund   B-place  B-LOC\nvann   O        O\n\nab1-c3\nIdag   O        B-TME\n"
    assert read_text(tmp_path, text).splits["train"] == (
        Sentence(("Lund", "vann"), ("B-place", "O"), "ab1-c2", ("B-LOC", "O")),
        Sentence(("Idag",), ("O",), "ab1-c3", ("B-TME",)),
    )


def test_read_markup_and_empty_rows_end_sentences(tmp_path: Path) -> None:
    text = "<TITLE>\t\t\n\t\t\nLund\tB-LOC\tO\n \t \nvann\tO\tO\n"
    corpus = read_text(tmp_path, text)
    assert [sentence.tokens for sentence in corpus.splits["train"]] == [("Lund",), ("vann",)]
    assert corpus.splits["train"][0].auto_labels is None
    assert corpus.notes[0].endswith("train.conll: skipped lines of markup: 1")


def test_read_rare_row_without_label_is_outside(tmp_path: Path) -> None:
    rows = "Lund\tLOC\nvann\t0\n\n" * 5_000
    corpus = read_text(tmp_path, f"Lund\tLOC\nbn\nvann\t0\n\n{rows}")
    assert corpus.splits["train"][0] == Sentence(("Lund", "bn", "vann"), ("B-LOC", "O", "O"))
    assert corpus.notes[0].endswith("train.conll:2: 'bn' has no label and is read as outside (0)")
    with pytest.raises(UserError, match=r"train.conll:2: row does not have 2 columns \(got 'bn'"):
        read_text(tmp_path, f"Lund\tLOC\nbn\nvann\t0\n\n{rows[:1000]}")


def test_read_uses_given_columns_separator_and_scheme(tmp_path: Path) -> None:
    options = CorpusOptions(
        columns=Columns(token=1, label=-1, auto=0), separator="tab", scheme="plain", outside="none"
    )
    corpus = read_text(tmp_path, "none\tt ex\tnone\nB\tLund\tE-LOC\n", options)
    assert corpus.splits["train"][0] == Sentence(("t ex", "Lund"), ("O", "B-E-LOC"), "", ("O", "B-B"))


def test_read_without_label_column_raises(tmp_path: Path) -> None:
    text = "Lund\tNN\tplats\nvann\tVB\thändelse\n"
    with pytest.raises(UserError, match=r"train.conll:1: no column of labels found \(got '3 columns'"):
        read_text(tmp_path, text)
    with pytest.raises(UserError, match="no column of labels"):
        read_text(tmp_path, text, CorpusOptions(columns=Columns(label=3)))


def test_read_wrong_separator_summarizes_issues(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_text(tmp_path, "Lund B-LOC\ni O\n\n" * 3_000, CorpusOptions(separator="tab"))
    assert len(caught.value.issues) == 21
    assert str(caught.value.issues[-1]).endswith("row does not have 2 columns: 5980 more such lines")
