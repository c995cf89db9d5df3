"""Atomic replacement keeps the old file on failure, and readers see complete files only."""

import json
import os
import stat
import threading

import pytest

from hpo.storage.atomic import read_json, write_json, write_lines, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_text_creates_folders_and_readable_file(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "Malmö\n")
    assert path.read_bytes() == "Malmö\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["b.txt"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_write_text_failure_keeps_old_file_only(tmp_path, monkeypatch, step):
    path = tmp_path / "report.md"
    write_text(path, "old")

    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.md"]


def test_write_json_unserializable_value_keeps_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(TypeError):
        write_lines(path, [{"a": 1}, {"a": {1, 2}}])
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["x.json"]


def test_write_json_concurrent_reader_sees_whole_files(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, [0] * 1000)
    ended = threading.Event()

    def rewrite():
        for number in range(1, 40):
            write_json(path, [number] * 1000)
        ended.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not ended.is_set():
        assert len(set(read_json(path))) == 1
    writer.join()


def test_write_json_tuple_of_floats_is_exact(tmp_path):
    rank = (0.1 + 0.2, -1e-17)
    write_json(tmp_path / "bar.json", rank)
    assert tuple(json.loads((tmp_path / "bar.json").read_text())) == rank
