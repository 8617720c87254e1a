"""Files of avtca 0.1 are read under the names of today."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from avtca.clipspec import ClipSpec
from avtca.compat import upgrade, upgrade_parameter, upgrade_path
from avtca.evaluation.predictions import Predictions
from avtca.model import build_model, load_checkpoint
from avtca.model.export import example_inputs
from avtca.training.config_file import load_experiment

PRETRAINED = Path(__file__).resolve().parents[1] / "experiments/default_model/pretrained"
CHECKPOINTS = {
    "audio": PRETRAINED / "voice" / "last",
    "audio, normalised by speaker": PRETRAINED / "voice_standardised" / "last",
}


def test_the_record_of_a_run_of_0_1_reads_with_the_keys_of_today():
    run = {
        "recipe": {"batch": 8, "auxiliary": 0.3, "modality_dropout": {"form": "whole"}},
        "train": {"takes": 3, "speakers": ["a"]},
        "provenance": {
            "standardise": "none",
            "start": {"weights_sha256": "x", "people": {"ravdess": ["01"]}},
            "experiment": {
                "clip": {"sound_dim": 64},
                "data": {"standardise": "speaker"},
                "model": {"start": None, "sizes": {"take_features": 35}},
                "train": {"batch": 4, "augmentation": {"visual_noise": 0.1}},
            },
        },
    }
    train_config = {
        "batch_size": 8,
        "auxiliary_weight": 0.3,
        "modality_dropout": {"mode": "whole"},
    }
    assert upgrade(run) == {
        "train_config": train_config,
        "train": {"samples": 3, "speakers": ["a"]},
        "provenance": {
            "normalise": "none",
            "init_from": {"weights_sha256": "x", "speakers": {"ravdess": ["01"]}},
            "experiment": {
                "input": {"audio_dim": 64},
                "data": {"normalise": "speaker"},
                "model": {"init_from": None, "sizes": {"utterance_features": 35}},
                "train": {"batch_size": 4, "augmentation": {"video_noise": 0.1}},
            },
        },
    }
    assert upgrade(upgrade(run)) == upgrade(run)


def test_keys_that_mean_something_else_elsewhere_stay():
    report = {"people": [{"start": 1.0, "form": "x"}], "recipe": "0123456789ab"}
    assert upgrade(report) == report


def test_a_dotted_key_of_0_1_names_the_key_of_today():
    assert upgrade_path(["clip", "sound_dim"]) == ["input", "audio_dim"]
    assert upgrade_path(["model", "start"]) == ["model", "init_from"]
    assert upgrade_path(["train", "modality_dropout", "form"])[-1] == "mode"
    assert upgrade_path(["train", "batch_size"]) == ["train", "batch_size"]


def test_the_packaged_card_of_0_1() -> None:
    old = {
        "variant": "best",
        "clip_spec": {
            "window_s": 3.6,
            "video_steps": 36,
            "visual": "features",
            "crop_px": 224,
            "colour": "rgb",
            "visual_features": "expression7",
            "visual_dim": 7,
            "sample_rate": 16000,
            "sound": "logmel+pitch",
            "sound_dim": 66,
            "n_fft": 1024,
            "hop": 320,
            "labels": ["angry", "happy"],
        },
        "calibration": {"temperature": 0.814, "sure": 0.451},
    }
    card = upgrade(old)
    spec = ClipSpec.from_dict(card["clip_spec"])
    assert card["variant"] == "experts" and (spec.audio, spec.audio_dim) == ("logmel+pitch", 66)
    assert card["calibration"] == old["calibration"]


@pytest.mark.parametrize("path", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints_of_0_1(path: Path) -> None:
    old = json.loads(path.with_suffix(".json").read_text())
    assert old["variant"] == "best" and "sound_widths" in old["config"]
    model, card = load_checkpoint(path)
    assert (model.variant, card.variant) == ("experts", "experts")
    assert card.config.audio_weight == old["config"]["sound_trust"]
    assert card.config.video_dim == old["config"]["visual_dim"]
    assert card.clip_spec.hash == old["clip_spec_hash"]
    weights = load_file(path.with_suffix(".safetensors"))
    state = model.state_dict()
    assert {upgrade_parameter(name) for name in weights} == set(state)
    for name, value in weights.items():
        assert torch.equal(state[upgrade_parameter(name)], value), name
    assert model(*example_inputs(card.clip_spec)).logits.isfinite().all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sound_after.0.conv.weight", "audio_after.0.conv.weight"),
        ("visual_front.trunk.stem.0.weight", "video_frontend.trunk.stem.0.weight"),
        ("voice_expert.expert.norm.running_mean", "audio_statistics.expert.norm.running_mean"),
        ("face_expert.expert.linear.bias", "video_statistics.expert.linear.bias"),
        ("take_expert.linear.bias", "utterance_head.linear.bias"),
        ("auxiliary.pool_audio.score.0.weight", "auxiliary.pool_audio.score.0.weight"),
    ],
)
def test_parameters_of_0_1(old: str, new: str) -> None:
    assert upgrade_parameter(old) == new
    assert upgrade_parameter(new) == new


def test_networks_of_0_1() -> None:
    sizes = {"video": "features", "video_dim": 7}
    assert build_model("best", **sizes).variant == "experts"
    card = {"variant": "best", "rows": [{"variant": "best"}, {"variant": "figure"}], "best": 3}
    assert upgrade(card) == {
        "variant": "experts",
        "rows": [{"variant": "experts"}, {"variant": "figure"}],
        "best": 3,
    }


def test_a_configuration_of_0_1(tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "x.yaml", tmp_path / "new" / "x.yaml"
    for path in (old, new):
        path.parent.mkdir()
    old.write_text(
        """
data: {corpus: x, folds: ravdess_luna_5fold, standardise: speaker}
clip: {sound: logmel+pitch, sound_dim: 66, hop: 320}
model: {variant: best, sizes: {sound_stride: 2, face_parts: 5, sound_norm: level}}
train: {batch: 16, auxiliary: 1.0, modality_dropout: {sound: 0.2, visual: 0.2}}
"""
    )
    new.write_text(
        """
data: {corpus: x, folds: ravdess_luna_5fold, normalise: speaker}
input: {audio: logmel+pitch, audio_dim: 66, hop: 320}
model: {variant: experts, sizes: {audio_stride: 2, n_segments: 5, audio_norm: level}}
train: {batch_size: 16, auxiliary_weight: 1.0, modality_dropout: {audio: 0.2, video: 0.2}}
"""
    )
    assert load_experiment(old) == load_experiment(new)


def test_predictions_of_0_1(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("take,speaker,true:calm,true:sad,p:calm,p:sad\na1,a,1,0,0.75,0.25\n")
    found = Predictions.load(path)
    assert list(found.speakers) == ["a"] and found.labels == ("calm", "sad")
    np.testing.assert_array_equal(found.probs, [[0.75, 0.25]])
