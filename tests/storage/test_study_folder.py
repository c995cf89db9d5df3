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


def test_a_file_is_written_with_its_folders_and_can_be_read_by_others(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "Malmö\n")
    assert path.read_bytes() == "Malmö\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["b.txt"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / "report.md"
    write_text(path, "old")

    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.md"]


def test_what_json_or_utf8_cannot_hold_leaves_the_old_file(tmp_path):
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


def test_a_reader_never_sees_half_a_file(tmp_path):
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


def test_a_journal_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "new" / "trials.jsonl"
    for number in range(3):
        journal = Journal(path)
        journal.append({"trial": number, "reason": "a\u2028b\nc"}, durable=number == 1)
        journal.close()
    assert list(read_lines(path)) == [{"trial": n, "reason": "a\u2028b\nc"} for n in range(3)]


def test_a_line_is_on_disk_as_soon_as_it_is_appended(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append({"a": 1})
    assert list(read_lines(tmp_path / "j")) == [{"a": 1}]
    journal.close()


@pytest.mark.parametrize("cut", range(len(b'{"trial":1}\n')))
def test_a_line_that_was_torn_is_not_read_and_is_cut_off_before_the_next(tmp_path, cut):
    path = tmp_path / "trials.jsonl"
    whole, last = b'{"trial":0}\n', b'{"trial":1}\n'
    path.write_bytes(whole + last[:cut])
    assert list(read_lines(path)) == [{"trial": 0}]
    journal = Journal(path)
    journal.append({"trial": 2})
    journal.close()
    assert list(read_lines(path)) == [{"trial": 0}, {"trial": 2}]


def test_a_journal_of_nothing_but_a_torn_line_starts_anew(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b'{"trial"')
    Journal(path).close()
    assert path.read_bytes() == b""


def test_a_journal_that_does_not_exist_has_no_lines(tmp_path):
    assert list(read_lines(tmp_path / "none")) == []


def test_derived_data_are_made_once(tmp_path):
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
def test_derived_data_that_could_not_be_made_are_not_there_and_are_made_anew(tmp_path, error):
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


def test_processes_that_race_for_derived_data_all_get_the_same(tmp_path):
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


def test_a_second_driver_of_a_study_is_refused(tmp_path):
    with (
        StudyFolder("s", tmp_path).lock(),
        pytest.raises(UserError, match=r"study s: is being run by another process \(wait for it"),
        StudyFolder("s", tmp_path).lock(),
    ):
        pass


def test_a_study_is_free_again_when_its_driver_ends_or_fails(tmp_path):
    folder = StudyFolder("s", tmp_path)
    with pytest.raises(RuntimeError), folder.lock():
        raise RuntimeError
    with folder.lock():
        pass


def test_two_studies_do_not_lock_each_other(tmp_path):
    with StudyFolder("a", tmp_path).lock(), StudyFolder("b", tmp_path).lock():
        pass


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a b", ".hidden", "a\n", "-x", "é", "x" * 121]
)
def test_a_name_that_could_lead_out_of_the_results_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="study: must be letters, digits"):
        StudyFolder(name, tmp_path)


def test_every_path_of_a_study_lies_in_its_folder(tmp_path):
    folder = StudyFolder("demo-1.0_a+b", tmp_path)
    paths = [value for value in vars(folder).values() if hasattr(value, "is_relative_to")]
    assert len(paths) > 5
    assert all(path.is_relative_to(tmp_path / "demo-1.0_a+b") for path in (*paths, folder.checkpoint(3)))


def test_studies_are_listed_oldest_first_and_nothing_else_is_listed(tmp_path):
    for age, name in enumerate(["young", "old", "not a study", ".cache"]):
        path = tmp_path / name / "study.yaml"
        write_text(path, "")
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").touch()
    assert [folder.name for folder in study_folders(tmp_path)] == ["old", "young"]
    assert study_folders(tmp_path / "none") == []


def test_a_checkpoint_that_is_being_written_is_not_listed(tmp_path):
    folder = StudyFolder("s", tmp_path)
    assert folder.complete_checkpoints() == []
    for name in ("7", ".7.123", ".7.123.old"):
        (folder.checkpoints / name).mkdir(parents=True)
    write_json(folder.threshold, [0.5, -0.1])
    assert folder.complete_checkpoints() == [folder.checkpoint(7)]


def test_a_rank_goes_through_json_unchanged(tmp_path):
    rank = (0.1 + 0.2, -1e-17)
    write_json(tmp_path / "bar.json", rank)
    assert tuple(json.loads((tmp_path / "bar.json").read_text())) == rank
