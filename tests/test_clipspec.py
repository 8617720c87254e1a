"""ClipSpec: the hash knows every field, differences name it, nothing wrong is accepted."""

from dataclasses import fields, replace
from typing import Any

import pytest

from avtca.clipspec import ClipSpec
from avtca.errors import AvtcaError, ClipSpecMismatch

BASE = ClipSpec(video="features", video_features="expression7", video_dim=7, labels=("a", "b"))
OTHER: dict[str, Any] = {
    "window_s": 3.2,
    "video_steps": 16,
    "video": "pixels",
    "crop_px": 112,
    "colour": "grey",
    "video_features": "openface_au",
    "video_dim": 35,
    "sample_rate": 16_000,
    "audio": "logmel",
    "audio_dim": 64,
    "n_fft": 1024,
    "hop": 160,
    "high_pass": True,
    "labels": ("b", "a"),
}


def test_the_table_above_has_every_field() -> None:
    assert set(OTHER) == {field.name for field in fields(ClipSpec)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_changes_the_hash_and_is_named(name: str) -> None:
    other = replace(BASE, **{name: OTHER[name]})
    assert other.hash != BASE.hash
    (line,) = BASE.differences(other)
    assert line.startswith(f"{name}: ")
    assert BASE.differences(other, ignore=(name,)) == []
    BASE.require(other, action="train", ignore=(name,))
    with pytest.raises(ClipSpecMismatch, match=name) as caught:
        BASE.require(other, action="train")
    assert isinstance(caught.value, AvtcaError)
    assert BASE.hash in str(caught.value) and other.hash in str(caught.value)


def test_hashes_are_stable_across_runs_and_number_types() -> None:
    assert ClipSpec().hash == ClipSpec().hash
    assert ClipSpec(window_s=4).hash == ClipSpec(window_s=4.0).hash
    assert ClipSpec(labels=["a"]).hash == ClipSpec(labels=("a",)).hash  # type: ignore[arg-type]
    assert len(ClipSpec().hash) == 12
    int(ClipSpec().hash, 16)


def test_specs_without_a_high_pass_keep_the_hash_and_json_of_0_1() -> None:
    assert ClipSpec().hash == "71b760997d32"
    assert "high_pass" not in ClipSpec().to_dict()
    assert ClipSpec(high_pass=True).to_dict()["high_pass"] is True
    with pytest.raises(ValueError, match="high_pass"):
        ClipSpec(high_pass="yes")  # type: ignore[arg-type]


def test_dict_round_trip() -> None:
    for spec in (BASE, ClipSpec()):
        assert ClipSpec.from_dict(spec.to_dict()) == spec
        assert ClipSpec.from_dict(spec.to_dict()).hash == spec.hash
    with pytest.raises(ValueError, match="crop_size"):
        ClipSpec.from_dict({"crop_size": 3})


def test_sizes_of_the_released_code() -> None:
    spec = ClipSpec()
    assert spec.window_samples == 79_380
    assert spec.audio_steps == 156
    assert spec.step_shape == (3, 224, 224)
    assert spec.video_rate == pytest.approx(15 / 3.6)
    assert replace(spec, colour="grey").step_shape == (1, 224, 224)
    assert BASE.step_shape == (7,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": 0},
        {"video_steps": -1},
        {"sample_rate": 0},
        {"hop": 0},
        {"crop_px": 0},
        {"video": "features"},
        {"video": "features", "video_features": "x", "video_dim": 0},
        {"video": "picture"},
        {"colour": "bgr"},
        {"audio": "mel"},
    ],
)
def test_wrong_values_are_refused_by_name(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=name):
        ClipSpec(**wrong)
