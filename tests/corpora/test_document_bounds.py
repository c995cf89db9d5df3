"""Readers assign documents to sentences if the format marks document boundaries."""

import pytest

from hpo.corpora.loading import load
from hpo.corpora.tag_families import apply, load_family

HIPE = (
    "TOKEN\tNE-COARSE-LIT\tMISC\n"
    "# hipe2022:document_id = a\nAda\tB-PER\t_\nran\tO\tEndOfSentence\nhome\tO\t_\n\n"
    "# hipe2022:document_id = b\nGrace\tB-PER\t_\n"
)
DOCSTART = "-DOCSTART- -X- O\n\nAda x B-PER\n\nran x O\n\n-DOCSTART- -X- O\n\nGrace x B-PER\n"
NEWDOC = "# newdoc id = a\n# sent_id = 1\nAda\tB-PER\n\n# sent_id = 2\nran\tO\n\n# newdoc\nGrace\tB-PER\n"
NONE = "Ada B-PER\n\nran O\n\nGrace B-PER\n"


@pytest.mark.parametrize(
    "name, text", [("train.tsv", HIPE), ("train.conll", DOCSTART), ("train.conllu", NEWDOC)]
)
def test_load_file_with_document_markers_separates_documents(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    documents = [each.document for each in load(str(tmp_path), split_dev=False).splits["train"]]
    assert len(documents) == 3
    assert documents[0] == documents[1] != documents[2]
    assert all(each.startswith("train:") for each in documents)


def test_load_file_without_document_markers_leaves_document_empty(tmp_path):
    (tmp_path / "train.conll").write_text(NONE)
    assert {each.document for each in load(str(tmp_path), split_dev=False).splits["train"]} == {""}


def test_apply_family_keeps_documents(tmp_path):
    (tmp_path / "train.conll").write_text(DOCSTART)
    corpus = load(str(tmp_path), split_dev=False)
    mapped = apply(load_family("conll"), corpus).splits["train"]
    assert [each.document for each in mapped] == [each.document for each in corpus.splits["train"]]
