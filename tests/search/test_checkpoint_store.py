"""Running trials leave their state in memory; what must last is on disk, whatever happens in between."""

import json
import shutil
from concurrent.futures import wait

import pytest

from hpo.search import checkpoint_store as keeping
from hpo.search.checkpoint_store import CheckpointStore, use_memory_scratch
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import SNAPSHOT_FILE, Measurement, Snapshot


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


def leave_state(place, step, weights="w"):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    measurement = Measurement(float(step), step, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0)
    (place / SNAPSHOT_FILE).write_text(json.dumps(Snapshot(measurement, measurement, 1).to_json()))
    (place / "weights").write_text(weights)


def leave_model(place, weights="m"):
    place.mkdir(parents=True, exist_ok=True)
    (place / "weights").write_text(weights)


def test_states_stand_in_memory_and_are_found_there_again(disk, memory, folder):
    assert folder.snapshot(3).is_relative_to(memory)
    assert folder.candidate(3).is_relative_to(memory)
    assert folder.threshold.is_relative_to(memory)
    assert folder.checkpoint(3).is_relative_to(disk.path)
    assert use_memory_scratch(disk, 1000, memory).scratch == folder.scratch
    assert folder.scratch.stat().st_mode & 0o077 == 0


def test_another_study_of_the_same_name_does_not_find_them(disk, memory, folder):
    shutil.rmtree(disk.path)
    disk.path.mkdir()
    other = use_memory_scratch(disk, 1000, memory)
    assert other.scratch != folder.scratch
    assert not folder.scratch.exists()  # nobody would ever have freed it


def test_what_memory_has_no_room_for_stands_on_disk(disk, memory, monkeypatch):
    monkeypatch.setattr(keeping, "available_memory_bytes", lambda: 8000)
    assert use_memory_scratch(disk, 1001, memory).scratch == disk.path
    assert not disk.scratch_marker.exists()
    assert use_memory_scratch(disk, 1000, memory).scratch != disk.path


def test_a_machine_without_files_in_memory_uses_the_disk(disk, tmp_path):
    assert use_memory_scratch(disk, 1, tmp_path / "none").scratch == disk.path


def test_a_model_is_on_disk_once_its_trial_is_kept(folder):
    leave_model(folder.candidate(1), "best")
    store = CheckpointStore(folder)
    store.keep(1)
    store.close()
    assert (folder.checkpoint(1) / "weights").read_text() == "best"
    assert not folder.candidate(1).exists()
    assert folder.complete_checkpoints() == [folder.checkpoint(1)]


def test_what_is_kept_and_then_dropped_is_gone(folder):
    leave_model(folder.candidate(1))
    leave_model(folder.candidate(2))
    store = CheckpointStore(folder)
    store.keep(1)
    store.drop(1)
    store.drop(2)
    store.close()
    assert folder.complete_checkpoints() == []


def test_a_running_trial_is_saved_every_few_minutes(folder):
    now = [0.0]
    store = CheckpointStore(folder, clock=lambda: now[0])
    for step, (minute, saved) in enumerate([(0, None), (4, None), (5.1, 2), (7, 2), (10.2, 4)]):
        now[0] = minute * 60
        leave_state(folder.snapshot(7), step)
        leave_model(folder.candidate(7), str(step))
        store.save(7)
        wait([*store._pending])
        stored = keeping.read_snapshot(folder.persisted_snapshot(7))
        assert (stored.last.step if stored else None) == saved
        if saved:
            assert (folder.checkpoint(7) / "weights").read_text() == str(saved)
    store.close()


def test_a_stopped_search_is_on_disk_and_goes_on_on_another_machine(disk, memory, folder, tmp_path):
    leave_state(folder.snapshot(7), 3, "state")
    leave_model(folder.candidate(7), "model")
    leave_state(folder.snapshot(8), 1)
    CheckpointStore(folder).close([7, 8, 9])
    assert (folder.persisted_snapshot(7) / "weights").read_text() == "state"

    elsewhere = tmp_path / "other-shm"
    elsewhere.mkdir()
    shutil.rmtree(folder.scratch)
    there = use_memory_scratch(disk, 1000, elsewhere)
    store = CheckpointStore(there)
    store.bring_back([7, 8, 9])
    assert (there.snapshot(7) / "weights").read_text() == "state"
    assert (there.candidate(7) / "weights").read_text() == "model"
    assert there.snapshot(8).exists() and not there.snapshot(9).exists()
    store.close()


def test_the_newer_of_two_states_is_taken(folder):
    leave_state(folder.snapshot(1), 5, "memory")
    leave_state(folder.persisted_snapshot(1), 4, "disk")
    leave_state(folder.snapshot(2), 5, "memory")
    leave_state(folder.persisted_snapshot(2), 6, "disk")
    store = CheckpointStore(folder)
    store.bring_back([1, 2])
    store.close()
    assert (folder.snapshot(1) / "weights").read_text() == "memory"
    assert (folder.snapshot(2) / "weights").read_text() == "disk"


def test_a_study_that_is_done_leaves_nothing_behind(folder, memory):
    leave_state(folder.snapshot(1), 5)
    store = CheckpointStore(folder)
    store.close([1])
    store.free()
    assert not folder.scratch.exists() and not folder.scratch_marker.exists()
    assert not folder.persisted_snapshot(1).parent.exists()


def test_a_model_that_cannot_be_written_is_told_and_stays_in_memory(folder):
    leave_model(folder.candidate(1))
    folder.checkpoints.write_text("a file where the folder should be")
    store = CheckpointStore(folder)
    store.keep(1)
    with pytest.raises(OSError):
        store.close()
    assert folder.candidate(1).exists()


def test_on_disk_there_is_nothing_to_carry(disk):
    leave_state(disk.snapshot(1), 1)
    leave_model(disk.candidate(1))
    store = CheckpointStore(disk)
    store.bring_back([1])
    store.keep(1)
    store.save(1)
    store.close([1])
    assert disk.snapshot(1).exists() and disk.checkpoint(1).exists()
    store.drop(1)
    store.forget(1)
    assert not disk.snapshot(1).exists() and not disk.checkpoint(1).exists()
    store.free()
    assert disk.path.exists()
