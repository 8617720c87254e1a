"""Checkpoints rebuild their network; each defect gives a one-line error."""

import json
import math
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from networks import stir
from real_samples import FEATURES

from avtca.clipspec import ClipSpec
from avtca.errors import CheckpointError, ClipSpecMismatch
from avtca.model import ModelConfig, build_model, load_checkpoint, save_checkpoint
from avtca.model.avtca import AVTCA
from avtca.model.checkpoint import read_card
from avtca.model.export import example_inputs

Pair = tuple[Path, AVTCA]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A saved network of an unusual make."""
    config = ModelConfig.for_spec(FEATURES, heads=2, video_widths=(8, 16), audio_widths=(8, 16))
    model = build_model("experts", config, pooling="mean")
    stir(model)
    save_checkpoint(
        tmp_path / "v1.2",
        model,
        FEATURES,
        calibration={"temperature": 1.5},
        provenance={"data": ["RAVDESS"]},
        metrics={"uar": 0.5},
    )
    return tmp_path / "v1.2", model


def card_of(pair: Pair) -> dict[str, object]:
    return json.loads((pair[0].parent / "v1.2.json").read_text())


def put_card(pair: Pair, values: object) -> None:
    (pair[0].parent / "v1.2.json").write_text(json.dumps(values))


def complaint(path: Path, **given: object) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, **given)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("form", ["v1.2", "v1.2.safetensors", "v1.2.json", "."])
def test_a_checkpoint_rebuilds_itself(pair: Pair, form: str) -> None:
    model, card = load_checkpoint(pair[0].parent / form, clip_spec=FEATURES)
    x = example_inputs(FEATURES)
    assert not model.training
    assert torch.equal(model(*x).logits, pair[1](*x).logits)
    assert (card.variant, card.config, card.clip_spec) == ("experts", pair[1].config, FEATURES)
    assert card.calibration == {"temperature": 1.5} and card.metrics == {"uar": 0.5}
    assert card.labels == FEATURES.labels and card.provenance == {"data": ["RAVDESS"]}


def test_a_card_stands_on_its_own(pair: Pair) -> None:
    values = card_of(pair)
    assert values["format_version"] == 1 and values["variant"] == "experts"
    assert values["clip_spec_hash"] == FEATURES.hash
    assert values["labels"] == list(FEATURES.labels)


@pytest.mark.parametrize("ending", [".pth", ".pt", ".pkl", ".PTH", ".ckpt", ".pth.tar"])
def test_a_pickle_is_never_opened(ending: str, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / f"model{ending}"
    path.write_bytes(pickle.dumps(Bomb()))
    assert "avtca convert" in complaint(path)
    disguised = tmp_path / "model.safetensors"
    shutil.copy(path, disguised)
    assert "model.json is missing" in complaint(disguised)
    save_checkpoint(
        tmp_path / "good", build_model("audio_only"), ClipSpec(labels=tuple("abcdefgh"))
    )
    shutil.copy(tmp_path / "good.json", tmp_path / "model.json")
    assert "broken" in complaint(disguised)
    assert not (tmp_path / "exploded").exists()


def test_files_that_are_missing(pair: Pair, tmp_path: Path) -> None:
    assert "absent: no such file or folder" in complaint(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"absent\.json: it is missing"):
        read_card(tmp_path / "absent.json")
    shutil.copy(tmp_path / "v1.2.safetensors", tmp_path / "other.safetensors")
    assert "2 .safetensors files there (other, v1.2)" in complaint(tmp_path)
    assert "other.json is missing" in complaint(tmp_path / "other.safetensors")
    (tmp_path / "empty").mkdir()
    assert "0 .safetensors files" in complaint(tmp_path / "empty")


@pytest.mark.parametrize("keep", [0, 6, 300, -1])
def test_truncated_weights(pair: Pair, keep: int) -> None:
    path = pair[0].parent / "v1.2.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "broken" in complaint(path)


def test_weights_of_another_save(pair: Pair, tmp_path: Path) -> None:
    other = build_model("experts", pair[1].config)
    save_checkpoint(tmp_path / "other" / "x", other, FEATURES)
    shutil.copy(tmp_path / "other" / "x.safetensors", tmp_path / "v1.2.safetensors")
    assert "sha256 differs" in complaint(pair[0])
    small = build_model("experts", pair[1].config, video_widths=(4, 16))
    save_checkpoint(tmp_path / "other" / "x", small, FEATURES)
    shutil.copy(tmp_path / "other" / "x.safetensors", tmp_path / "v1.2.safetensors")
    assert "(4, 4, 3) for (8, 8, 3) and" in complaint(pair[0])
    figure = build_model("figure", ModelConfig.for_spec(FEATURES))
    save_checkpoint(tmp_path / "other" / "x", figure, FEATURES)
    shutil.copy(tmp_path / "other" / "x.safetensors", tmp_path / "v1.2.safetensors")
    assert "weights are not those of its card" in complaint(pair[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 2}, "format version 2, this avtca reads 1"),
        ({"format_version": None}, "without format_version"),
        ({"variant": "expects"}, "no variant of that name"),
        ({"variant": None}, "no variant"),
        ({"config": {"widths": 3}}, "unknown sizes widths"),
        ({"config": 3}, "broken card"),
        ({"clip_spec": {"frames": 15}}, "unknown ClipSpec fields: frames"),
        ({"clip_spec": {"labels": ["a"], "audio_dim": 64}}, "made for another ClipSpec"),
        ({"clip_spec": FEATURES.to_dict() | {"window_s": 1e9}}, "clip_spec.window_s: 1000000000.0"),
        ({"clip_spec": FEATURES.to_dict() | {"sample_rate": "x"}}, "broken card"),
        ({"calibration": {"temperature": 0}}, "calibration.temperature: 0 is not 0.001 to 1000.0"),
        ({"calibration": {"temperature": math.nan}}, "calibration.temperature: nan"),
        ({"calibration": {"temperature": "hot"}}, "calibration.temperature: 'hot'"),
        ({"calibration": [3]}, "broken card"),
        ({"labels": ["sad", "happy"]}, "labels: not those of clip_spec"),
    ],
)
def test_cards_that_are_wrong(pair: Pair, changes: dict[str, object], words: str) -> None:
    values = card_of(pair) | changes
    put_card(pair, values)
    assert words in complaint(pair[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"video_widths": [10**6, 10**6], "audio_widths": [10**6, 10**6]}, "are not those of its"),
        ({"mlp_ratio": 1e12, "late": "transformer"}, ""),
        ({"audio_widths": [16] * 100_000}, "config.audio_widths: more than 64 layers"),
        ({"trunk": {"units": [10**9]}}, "config.trunk.units: more than 64 layers"),
        ({"dropout": math.nan}, "dropout nan"),
        ({"heads": 0, "late": "transformer"}, ""),
    ],
)
def test_sizes_of_any_network_take_no_memory(pair: Pair, changes: dict, words: str) -> None:
    values = card_of(pair)
    put_card(pair, values | {"config": values["config"] | changes})
    assert words in complaint(pair[0])


def test_weights_that_are_not_numbers(pair: Pair, tmp_path: Path) -> None:
    with torch.no_grad():
        next(iter(pair[1].parameters())).view(-1)[0] = math.inf
    save_checkpoint(tmp_path / "bad" / "x", pair[1], FEATURES)
    assert "has values that are not numbers" in complaint(tmp_path / "bad")


def test_cards_that_are_not_json(pair: Pair) -> None:
    path = pair[0].parent / "v1.2.json"
    for text in ("", "{", '{"format_version"', "[1]", "3", "[" * 10**6):
        path.write_text(text)
        complaint(path)
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a card" in complaint(path)


def test_another_clip_spec_is_named_field_by_field(pair: Pair) -> None:
    other = ClipSpec.from_dict(FEATURES.to_dict() | {"video_steps": 50})
    with pytest.raises(ClipSpecMismatch, match="video_steps: 36 against 50"):
        load_checkpoint(pair[0], clip_spec=other)
    with pytest.raises(CheckpointError, match="n_labels: network 8, ClipSpec 2"):
        save_checkpoint(
            pair[0], pair[1], ClipSpec.from_dict(FEATURES.to_dict() | {"labels": ["a", "b"]})
        )


def test_a_save_that_breaks_off_leaves_the_old_pair(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: int) -> None:
        raise OSError(28, "No space left on device")

    before = load_checkpoint(pair[0])[1]
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(pair[0], pair[1], FEATURES)
    monkeypatch.undo()
    assert load_checkpoint(pair[0])[1] == before
    assert sorted(p.name for p in pair[0].parent.iterdir()) == ["v1.2.json", "v1.2.safetensors"]
