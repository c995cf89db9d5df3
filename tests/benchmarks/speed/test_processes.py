"""Tests of running contestants in their own processes, and of measuring what they write."""

import os
import subprocess
import sys

import pytest

from benchmarks.speed.processes import (
    OUTPUT,
    ContestantFailed,
    descendants,
    disk_bytes,
    run_contestant,
    track_usage,
)

MIB = 2**20


def is_on_disk(folder):
    found = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False)
    return found.stdout.strip() != "tmpfs"


def test_track_usage_counts_files_of_all_descendants_but_no_pipes(tmp_path):
    """A child writes 4 MiB, its child 8 MiB that are deleted, and 16 MiB go through a pipe to no file."""
    if not is_on_disk(tmp_path):
        pytest.skip("the temporary folder is in memory")
    files = tmp_path / OUTPUT
    files.mkdir()
    inner = "import time; open('b','wb').write(b'b' * (8 << 20)); time.sleep(1)"
    outer = (
        "import os, subprocess, sys, time; open('a','wb').write(b'a' * (4 << 20));"
        f"subprocess.run([sys.executable, '-c', {inner!r}], check=True); os.remove('b');"
        "[subprocess.run(['cat'], input=b'c' * (8 << 20), stdout=subprocess.DEVNULL) for _ in range(2)];"
        "time.sleep(1)"
    )
    process = subprocess.Popen([sys.executable, "-c", outer], cwd=files)
    with track_usage(process.pid, tmp_path) as usage:
        assert process.wait() == 0
    assert 12 * MIB <= usage.written < 13 * MIB
    assert 12 * MIB <= usage.peak_files < 13 * MIB
    assert disk_bytes(files) == 4 * MIB


def test_disk_bytes_of_hard_links_counts_the_file_once(tmp_path):
    (tmp_path / "a").write_bytes(b"a" * MIB)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert MIB <= disk_bytes(tmp_path) < MIB + 64 * 1024


def test_descendants_include_grandchildren():
    sleeper = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '5']).pid, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", sleeper], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    grandchild = int(process.stdout.readline())
    try:
        assert {process.pid, grandchild} <= set(descendants(os.getpid()))
        assert grandchild in descendants(process.pid)
    finally:
        os.kill(grandchild, 15)
        process.communicate()


def test_run_contestant_returns_its_measurements():
    found = run_contestant("spans", {"tokens": 500, "repeat": 2, "seed": 1})
    assert len(found["ours"]) == len(found["peer"]) == 2
    assert found["equal"] == found["of"] == 10
    assert found["command_s"] > 0


def test_run_contestant_that_fails_raises_with_its_last_output():
    with pytest.raises(
        ContestantFailed, match=r"contestant spans: ended without a result.*KeyError: 'tokens'"
    ):
        run_contestant("spans", {})
