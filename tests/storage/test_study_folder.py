"""Study folders: names, paths, lock and listing."""

import os

import pytest

from hpo.errors import UserError
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder, study_folders


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
