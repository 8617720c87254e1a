import json

import pytest

from avtca.errors import ConfigError, CorpusError
from avtca.run_dir import RunDir, differences


def test_every_difference_is_named_by_its_dotted_key():
    before = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": 1}
    now = {"a": {"b": 2, "c": [1, 2]}, "d": 2, "f": 1}
    assert differences(before, now) == {
        "a.b": (1, 2), "d": (1, 2), "e": (1, None), "f": (None, 1),
    }  # fmt: skip
    assert differences(before, now, ignored=("a", "e", "f")) == {"d": (1, 2)}


def test_the_same_settings_resume_and_others_are_refused(tmp_path):
    folder = RunDir(tmp_path / "run", action="train", ignored=("workers",))
    settings = {"train": {"epochs": 40, "steps": (1, 2)}, "workers": 2}
    assert folder.open(settings) is False
    assert folder.open({**settings, "workers": 0}) is True
    assert json.loads(folder.settings_path.read_text())["workers"] == 2
    with pytest.raises(ConfigError) as error:
        folder.open({**settings, "train": {"epochs": 20, "steps": [1, 2]}})
    assert str(error.value) == (
        "train: existing run uses different settings: train.epochs 40 != 20; "
        "choose another --out, or delete the folder"
    )
    with pytest.raises(ConfigError, match=r"a None != 0; b None != 1; c None != 2 and 3 more"):
        folder.require({**settings, **dict(zip("abcdef", range(6), strict=True))})


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    folder = RunDir(tmp_path, error=CorpusError)
    with pytest.raises(CorpusError, match="the folder holds something else"):
        folder.open({})
    assert not folder.settings_path.exists()
    folder.open({}, empty=False)
    assert folder.open({}) is True


@pytest.mark.parametrize("content", ["", "{", "[1"])
def test_broken_settings_are_refused(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(ConfigError, match=r"settings\.json is broken"):
        RunDir(tmp_path).require({})


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match="it is a file"):
        RunDir(tmp_path / "run").require({})


def test_settings_with_the_keys_of_0_1_resume(tmp_path):
    (tmp_path / "settings.json").write_text('{"sound": {"sound_dim": 64}, "takes": 3}')
    assert RunDir(tmp_path).require({"audio": {"audio_dim": 64}, "samples": 3}) is True


def test_results_mark_a_finished_run(tmp_path):
    folder = RunDir(tmp_path)
    assert folder.done() is None
    folder.mark_done({"epoch": 3})
    assert folder.done() == {"epoch": 3}
