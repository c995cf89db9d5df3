"""Cached folders are filled once, also by concurrent processes."""

import multiprocessing
import os
import time

import pytest

from hpo.storage.cache import cached_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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
