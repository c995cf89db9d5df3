"""Presets are found by name in the working directory, the checkout or the package."""

import pytest

from hpo.errors import UserError
from hpo.storage.presets import find_preset, list_presets, preset_folders


@pytest.mark.parametrize("kind", ["tag_families", "search_spaces"])
def test_find_preset_outside_checkout_finds_its_files(kind, empty_folder):
    known = list_presets(kind)
    assert known
    assert list(known) == sorted(known)
    assert all(find_preset(kind, name) == path and path.is_file() for name, path in known.items())


def test_find_preset_prefers_working_directory(empty_folder):
    mine = empty_folder / "search_spaces" / "demo.yaml"
    mine.parent.mkdir()
    mine.write_text("")
    assert find_preset("search_spaces", "demo") == mine
    assert "suc" in list_presets("search_spaces"), "the others are still there"


def test_preset_folders_are_unique(monkeypatch):
    checkout = preset_folders("search_spaces")[-1].parent
    monkeypatch.chdir(checkout)
    assert len(preset_folders("search_spaces")) == 1


def test_find_preset_accepts_paths():
    assert str(find_preset("search_spaces", "mine/space.yml")) == "mine/space.yml"


def test_find_preset_unknown_name_raises_with_known_names():
    with pytest.raises(UserError, match=r"search spaces: unknown name \(got 'suk'; known: .*demo, .*suc"):
        find_preset("search_spaces", "suk")
