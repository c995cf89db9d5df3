"""Journals survive incomplete writes."""

import pytest

from hpo.storage.journal import Journal, read_lines


def test_journal_reopened_appends(tmp_path):
    path = tmp_path / "new" / "trials.jsonl"
    for number in range(3):
        journal = Journal(path)
        journal.append({"trial": number, "reason": "a\u2028b\nc"}, durable=number == 1)
        journal.close()
    assert list(read_lines(path)) == [{"trial": n, "reason": "a\u2028b\nc"} for n in range(3)]


def test_journal_append_is_readable_at_once(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append({"a": 1})
    assert list(read_lines(tmp_path / "j")) == [{"a": 1}]
    journal.close()


@pytest.mark.parametrize("cut", range(len(b'{"trial":1}\n')))
def test_journal_incomplete_line_is_ignored_and_removed(tmp_path, cut):
    path = tmp_path / "trials.jsonl"
    whole, last = b'{"trial":0}\n', b'{"trial":1}\n'
    path.write_bytes(whole + last[:cut])
    assert list(read_lines(path)) == [{"trial": 0}]
    journal = Journal(path)
    journal.append({"trial": 2})
    journal.close()
    assert list(read_lines(path)) == [{"trial": 0}, {"trial": 2}]


def test_journal_of_only_an_incomplete_line_is_emptied(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b'{"trial"')
    Journal(path).close()
    assert path.read_bytes() == b""


def test_read_lines_missing_file_is_empty(tmp_path):
    assert list(read_lines(tmp_path / "none")) == []
