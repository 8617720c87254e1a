"""Backends for exported models and checkpoints, and the errors for unusable ones."""

import json
import shutil

import numpy as np
import pytest

import avtca
from avtca.clipspec import ClipSpec
from avtca.errors import CheckpointError
from avtca.labels import SEVEN
from avtca.model import ModelConfig, build_model
from avtca.model.checkpoint import save_checkpoint
from avtca.runtime.backends import FACE_BATCH, OnnxBackend, TorchBackend, load_backend
from avtca.runtime.bundle import PACKAGED, read_bundle

PIXELS = ClipSpec(
    window_s=1.6,
    video_steps=4,
    crop_px=32,
    sample_rate=16_000,
    audio="logmel",
    audio_dim=16,
    n_fft=512,
    hop=320,
    labels=("calm", "angry", "bored"),
)


@pytest.fixture
def checkpoint(tmp_path):
    network = build_model("figure", ModelConfig.for_spec(PIXELS)).eval()
    save_checkpoint(tmp_path / "mine", network, PIXELS, calibration={"temperature": 2.0})
    return tmp_path / "mine"


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(PACKAGED, tmp_path / "bundle")


def test_a_checkpoint_that_reads_pixels_recognises(checkpoint, sample_clips):
    report = avtca.load(checkpoint).predict(sample_clips / "01-01-01-01-01-01-01.mp4")
    assert set(report.scores) == set(PIXELS.labels)
    assert report.modalities == ("face", "voice")
    assert str(checkpoint) in report.model


def test_a_checkpoint_on_other_features_is_refused(tmp_path):
    spec = ClipSpec(video="features", video_features="openface_au", video_dim=17, labels=SEVEN)
    network = build_model("figure", ModelConfig.for_spec(spec)).eval()
    save_checkpoint(tmp_path / "au", network, spec)
    with pytest.raises(CheckpointError, match="openface_au"):
        avtca.load(tmp_path / "au")


def test_a_pickle_is_refused_without_being_read(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(CheckpointError, match="convert"):
        avtca.load(path)
    assert not (tmp_path / "ran").exists()


def test_files_that_are_not_the_cards_are_refused(bundle):
    with (bundle / "fusion.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CheckpointError, match="not those the card names"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card.update(format=99), "format 99"),
        (lambda card: card.pop("format"), "broken"),
    ],
)
def test_cards_of_other_formats_are_refused(bundle, change, words):
    card = json.loads((bundle / "avtca.json").read_text())
    change(card)
    (bundle / "avtca.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=words):
        read_bundle(bundle)


def test_missing_parts_are_named(bundle):
    (bundle / "face.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"face\.onnx is missing"):
        read_bundle(bundle)
    with pytest.raises(CheckpointError, match=r"no avtca\.json"):
        read_bundle(bundle / "nowhere")


def test_the_packaged_card_says_what_it_must():
    card = read_bundle().card
    assert tuple(card["labels"]) == SEVEN
    for key in ("clip_spec", "calibration", "provenance", "metrics", "weights_sha256", "bridge"):
        assert card[key], key
    size = sum((PACKAGED / name).stat().st_size for name in card["files"].values())
    assert size <= 15e6


def test_the_face_network_gives_probabilities():
    backend = OnnxBackend(read_bundle(), threads=1)
    n = 2 * FACE_BATCH + 1
    crops = np.random.default_rng(0).integers(0, 255, (n, 48, 48), dtype=np.uint8)
    features = backend.encode_faces(crops)
    assert features.shape == (n, 7)
    np.testing.assert_allclose(backend.encode_faces(crops[-2:]), features[-2:], atol=1e-5)
    np.testing.assert_allclose(features.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(backend.encode_faces(crops[:1]), features[:1], atol=1e-5)


def test_the_temperature_is_the_checkpoints(checkpoint):
    assert TorchBackend(checkpoint).temperature == 2.0


def test_the_folder_of_a_training_is_its_best_checkpoint(checkpoint, tmp_path):
    run = tmp_path / "own"
    run.mkdir()
    for path in checkpoint.parent.glob(f"{checkpoint.name}.*"):
        for name in ("best", "last"):
            shutil.copy(path, run / f"{name}{path.suffix}")
    assert load_backend(run).name.endswith(f"({run / 'best'})")
    (run / "done.json").write_text('{"kept": "last"}')
    backend = load_backend(run)
    assert backend.name.endswith(f"({run / 'last'})") and backend.temperature == 2.0
    (tmp_path / "cv" / "seed0" / "fold0").mkdir(parents=True)
    cases = {"cv": "a cross-validation, whose networks", "cv/seed0": "no exported model, and no ch"}
    for name, problem in cases.items():
        with pytest.raises(CheckpointError, match=problem):
            load_backend(tmp_path / name)
