"""Tests of the checkpoint store: scratch in memory, and copies on disk that survive the machine."""

import json
import shutil

import pytest

from hpo.search import checkpoint_store
from hpo.search.checkpoint_store import CheckpointStore, use_memory_scratch
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import SNAPSHOT_FILE, Measurement, Snapshot, read_snapshot


@pytest.fixture
def memory(tmp_path):
    place = tmp_path / "shm"
    place.mkdir()
    return place


@pytest.fixture
def disk(tmp_path):
    folder = StudyFolder("s", tmp_path / "results")
    folder.path.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(disk, memory):
    return use_memory_scratch(disk, 1000, memory)


def write_snapshot(place, step, weights="w"):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    measurement = Measurement(float(step), step, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0)
    (place / SNAPSHOT_FILE).write_text(json.dumps(Snapshot(measurement, measurement, 1).to_json()))
    (place / "weights").write_text(weights)


def write_checkpoint(place, weights="m"):
    place.mkdir(parents=True, exist_ok=True)
    (place / "weights").write_text(weights)


def test_use_memory_scratch_called_again_finds_the_same_scratch(disk, memory, folder):
    assert folder.snapshot(3).is_relative_to(memory)
    assert folder.candidate(3).is_relative_to(memory)
    assert folder.threshold.is_relative_to(memory)
    assert folder.checkpoint(3).is_relative_to(disk.path)
    assert use_memory_scratch(disk, 1000, memory).scratch == folder.scratch
    assert folder.scratch.stat().st_mode & 0o077 == 0


def test_use_memory_scratch_of_a_recreated_study_deletes_the_old_scratch(disk, memory, folder):
    shutil.rmtree(disk.path)
    disk.path.mkdir()
    other = use_memory_scratch(disk, 1000, memory)
    assert other.scratch != folder.scratch
    assert not folder.scratch.exists()  # no other driver would delete it


def test_use_memory_scratch_without_enough_memory_stays_on_disk(disk, memory, monkeypatch):
    monkeypatch.setattr(checkpoint_store, "available_memory_bytes", lambda: 8000)
    assert use_memory_scratch(disk, 1001, memory).scratch == disk.path
    assert not disk.scratch_marker.exists()
    assert use_memory_scratch(disk, 1000, memory).scratch != disk.path


def test_use_memory_scratch_without_memory_file_system_stays_on_disk(disk, tmp_path):
    assert use_memory_scratch(disk, 1, tmp_path / "none").scratch == disk.path


def test_persist_checkpoint_moves_it_to_disk(folder):
    write_checkpoint(folder.candidate(1), "best")
    store = CheckpointStore(folder)
    store.persist_checkpoint(1)
    store.close()
    assert (folder.checkpoint(1) / "weights").read_text() == "best"
    assert not folder.candidate(1).exists()
    assert folder.complete_checkpoints() == [folder.checkpoint(1)]


def test_delete_checkpoint_after_persist_removes_it(folder):
    write_checkpoint(folder.candidate(1))
    write_checkpoint(folder.candidate(2))
    store = CheckpointStore(folder)
    store.persist_checkpoint(1)
    store.delete_checkpoint(1)
    store.delete_checkpoint(2)
    store.close()
    assert folder.complete_checkpoints() == []


def test_persist_snapshot_copies_at_most_every_five_minutes(folder):
    now = [0.0]
    store = CheckpointStore(folder, clock=lambda: now[0])
    for step, (minute, saved) in enumerate([(0, None), (4, None), (5.1, 2), (7, 2), (10.2, 4)]):
        now[0] = minute * 60
        write_snapshot(folder.snapshot(7), step)
        write_checkpoint(folder.candidate(7), str(step))
        store.persist_snapshot(7)
        store.flush()
        stored = read_snapshot(folder.persisted_snapshot(7))
        assert (stored.last.step if stored else None) == saved
        if saved:
            assert (folder.checkpoint(7) / "weights").read_text() == str(saved)
    store.close()


def test_close_persists_open_trials_which_another_machine_restores(disk, memory, folder, tmp_path):
    write_snapshot(folder.snapshot(7), 3, "state")
    write_checkpoint(folder.candidate(7), "model")
    write_snapshot(folder.snapshot(8), 1)
    CheckpointStore(folder).close([7, 8, 9])
    assert (folder.persisted_snapshot(7) / "weights").read_text() == "state"

    elsewhere = tmp_path / "other-shm"
    elsewhere.mkdir()
    shutil.rmtree(folder.scratch)
    there = use_memory_scratch(disk, 1000, elsewhere)
    store = CheckpointStore(there)
    store.restore_snapshots([7, 8, 9])
    assert (there.snapshot(7) / "weights").read_text() == "state"
    assert (there.candidate(7) / "weights").read_text() == "model"
    assert there.snapshot(8).exists() and not there.snapshot(9).exists()
    store.close()


def test_restore_snapshots_takes_the_newer_of_memory_and_disk(folder):
    write_snapshot(folder.snapshot(1), 5, "memory")
    write_snapshot(folder.persisted_snapshot(1), 4, "disk")
    write_snapshot(folder.snapshot(2), 5, "memory")
    write_snapshot(folder.persisted_snapshot(2), 6, "disk")
    store = CheckpointStore(folder)
    store.restore_snapshots([1, 2])
    store.close()
    assert (folder.snapshot(1) / "weights").read_text() == "memory"
    assert (folder.snapshot(2) / "weights").read_text() == "disk"


def test_delete_snapshots_removes_scratch_and_persisted_snapshots(folder, memory):
    write_snapshot(folder.snapshot(1), 5)
    store = CheckpointStore(folder)
    store.close([1])
    store.delete_snapshots()
    assert not folder.scratch.exists() and not folder.scratch_marker.exists()
    assert not folder.persisted_snapshot(1).parent.exists()


def test_close_after_a_failed_write_raises_and_the_checkpoint_stays_in_memory(folder):
    write_checkpoint(folder.candidate(1))
    folder.checkpoints.write_text("a file where the folder should be")
    store = CheckpointStore(folder)
    store.persist_checkpoint(1)
    with pytest.raises(OSError):
        store.close()
    assert folder.candidate(1).exists()


def test_store_without_scratch_copies_nothing_and_deletes_at_once(disk):
    write_snapshot(disk.snapshot(1), 1)
    write_checkpoint(disk.candidate(1))
    store = CheckpointStore(disk)
    store.restore_snapshots([1])
    store.persist_checkpoint(1)
    store.persist_snapshot(1)
    store.close([1])
    assert disk.snapshot(1).exists() and disk.checkpoint(1).exists()
    store.delete_checkpoint(1)
    store.delete_snapshot(1)
    assert not disk.snapshot(1).exists() and not disk.checkpoint(1).exists()
    store.delete_snapshots()
    assert disk.path.exists()
