"""What is on disk: whole or not at all, locked against a second driver, filled once."""

import json
import multiprocessing
import os
import stat
import threading
import time

import pytest

from hpo.errors import UserError
from hpo.storage.atomic import (
    read_json,
    write_json,
    write_lines,
    write_text,
)
from hpo.storage.cache import cached_folder
from hpo.storage.journal import Journal, read_lines
from hpo.storage.study_folder import StudyFolder, study_folders


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


def test_cached_folder_is_filled_once(tmp_path):
    calls = []

    def fill(folder):
        calls.append(folder)
        (folder / "x").write_text("1")

    first, second = (cached_folder("key", fill, tmp_path) for _ in range(2))
    assert first == second
    assert (first / "x").read_text() == "1"
    assert len(calls) == 1
    assert calls[0] != first, "it is filled under another name"


@pytest.mark.parametrize("error", [RuntimeError, FileExistsError, FileNotFoundError, KeyboardInterrupt])
def test_cached_folder_failed_fill_leaves_nothing(tmp_path, error):
    def fail(folder):
        (folder / "half").write_text("")
        raise error

    with pytest.raises(error):
        cached_folder("key", fail, tmp_path)
    assert names(tmp_path / ".cache") == []
    assert names(cached_folder("key", lambda folder: (folder / "x").touch(), tmp_path)) == ["x"]


def _fill_slowly(folder):
    (folder / "x").write_text(str(os.getpid()))
    time.sleep(0.1)


def _race(root, start, answers):
    start.wait()
    answers.put((cached_folder("key", _fill_slowly, root) / "x").read_text())


def test_cached_folder_concurrent_processes_get_same_content(tmp_path):
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    racers = [context.Process(target=_race, args=(tmp_path, start, answers)) for _ in range(3)]
    for racer in racers:
        racer.start()
    start.set()
    found = {answers.get(timeout=20) for _ in racers}
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    assert len(found) == 1
    assert names(tmp_path / ".cache") == ["key"]


def test_lock_second_driver_raises(tmp_path):
    with (
        StudyFolder("s", tmp_path).lock(),
        pytest.raises(UserError, match=r"study s: is being run by another process \(wait for it"),
        StudyFolder("s", tmp_path).lock(),
    ):
        pass


def test_lock_is_released_on_exit_and_error(tmp_path):
    folder = StudyFolder("s", tmp_path)
    with pytest.raises(RuntimeError), folder.lock():
        raise RuntimeError
    with folder.lock():
        pass


def test_lock_of_two_studies_is_independent(tmp_path):
    with StudyFolder("a", tmp_path).lock(), StudyFolder("b", tmp_path).lock():
        pass


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a b", ".hidden", "a\n", "-x", "é", "x" * 121]
)
def test_study_folder_invalid_name_raises(name, tmp_path):
    with pytest.raises(UserError, match="study: must be letters, digits"):
        StudyFolder(name, tmp_path)


def test_study_folder_paths_are_inside_folder(tmp_path):
    folder = StudyFolder("demo-1.0_a+b", tmp_path)
    paths = [value for value in vars(folder).values() if hasattr(value, "is_relative_to")]
    assert len(paths) > 5
    assert all(path.is_relative_to(tmp_path / "demo-1.0_a+b") for path in (*paths, folder.checkpoint(3)))


def test_study_folders_lists_only_studies_oldest_first(tmp_path):
    for age, name in enumerate(["young", "old", "not a study", ".cache"]):
        path = tmp_path / name / "study.yaml"
        write_text(path, "")
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").touch()
    assert [folder.name for folder in study_folders(tmp_path)] == ["old", "young"]
    assert study_folders(tmp_path / "none") == []


def test_complete_checkpoints_excludes_incomplete_ones(tmp_path):
    folder = StudyFolder("s", tmp_path)
    assert folder.complete_checkpoints() == []
    for name in ("7", ".7.123", ".7.123.old"):
        (folder.checkpoints / name).mkdir(parents=True)
    write_json(folder.threshold, [0.5, -0.1])
    assert folder.complete_checkpoints() == [folder.checkpoint(7)]


def test_write_json_tuple_of_floats_is_exact(tmp_path):
    rank = (0.1 + 0.2, -1e-17)
    write_json(tmp_path / "bar.json", rank)
    assert tuple(json.loads((tmp_path / "bar.json").read_text())) == rank
