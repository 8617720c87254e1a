"""An exported folder runs without PyTorch and can be trained further."""

import json

import numpy as np
import pytest
import torch
from small_spec import SPEC

from avtca.errors import CheckpointError
from avtca.model import Card, ModelConfig, build_model, load_checkpoint
from avtca.model.export_bundle import export_bundle
from avtca.preprocess import ModelInput
from avtca.runtime.backends import OnnxBackend, TorchBackend
from avtca.runtime.bundle import PACKAGED, read_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    sizes = {"video_widths": (8, 8, 8, 8), "audio_widths": (8, 8, 8, 8)}
    network = build_model("concatenation", ModelConfig.for_spec(SPEC, **sizes)).eval()
    card = Card(
        variant="concatenation",
        config=network.config,
        clip_spec=SPEC,
        calibration={"temperature": 1.5},
        provenance={"terms": "none"},
    )
    folder = tmp_path_factory.mktemp("bundle") / "new"
    export_bundle(folder, name="x", fusion=network, card=card, face=PACKAGED / "face.onnx")
    return folder


def test_the_checkpoint_is_the_network_that_runs(exported):
    network, card = load_checkpoint(exported / "fusion")
    backend = OnnxBackend(read_bundle(exported), threads=1)
    assert card.clip_spec == backend.spec == SPEC
    assert card.calibration["temperature"] == backend.temperature == 1.5
    assert card.provenance == {"terms": "none"}
    rng = np.random.default_rng(0)
    batch = ModelInput(
        rng.random((3, 8, 7), np.float32),
        np.ones((3, 8), bool),
        rng.standard_normal((3, 16, SPEC.audio_steps), np.float32),
        np.ones((3, SPEC.audio_steps), bool),
    )
    arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    with torch.no_grad():
        mine = network(*(torch.from_numpy(part) for part in arrays)).logits.numpy()
    np.testing.assert_allclose(backend.logits(batch), mine, atol=1e-4)


def test_a_face_network_that_is_exported_already_is_copied(exported):
    assert (exported / "face.onnx").read_bytes() == (PACKAGED / "face.onnx").read_bytes()
    crops = np.random.default_rng(0).integers(0, 255, (2, 48, 48), dtype=np.uint8)
    assert OnnxBackend(read_bundle(exported), threads=1).encode_faces(crops).shape == (2, 7)
    left = {path.name for path in exported.iterdir()}
    assert left == {"avtca.json", "face.onnx", "fusion.onnx", "fusion.safetensors", "fusion.json"}


def test_the_card_names_the_checkpoint_and_does_without_it(exported, tmp_path):
    card = json.loads((exported / "avtca.json").read_text())
    assert card["checkpoint"]["name"] == "fusion"
    _, saved = load_checkpoint(exported / card["checkpoint"]["name"])
    assert card["checkpoint"]["sha256"] == saved.weights_sha256
    assert set(card["files"]) == {"fusion", "face"}
    for path in exported.iterdir():
        if not path.name.startswith("fusion.") or path.suffix == ".onnx":
            (tmp_path / path.name).symlink_to(path)
    assert read_bundle(tmp_path).spec == SPEC
    (tmp_path / "face.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"face\.onnx is missing"):
        read_bundle(tmp_path)


MAPS = ("transformer.video", "transformer.audio", "cross_attention.video", "cross_attention.audio")


@pytest.fixture(scope="module")
def attending(tmp_path_factory):
    """An exported network of the paper, without a face network of its own."""
    torch.manual_seed(0)
    sizes = {"video_widths": (8, 8, 8, 8), "audio_widths": (8, 8, 8, 8), "audio_pool": "slide"}
    network = build_model("figure", ModelConfig.for_spec(SPEC, **sizes)).eval()
    card = Card(variant="figure", config=network.config, clip_spec=SPEC)
    folder = tmp_path_factory.mktemp("attending")
    export_bundle(folder, name="x", fusion=network, card=card)
    return folder


def batch_with_masks():
    rng = np.random.default_rng(0)
    video_mask, audio_mask = np.ones((3, 8), bool), np.ones((3, SPEC.audio_steps), bool)
    video_mask[0, 5:], audio_mask[1, 20:] = False, False
    return ModelInput(
        rng.random((3, 8, 7), np.float32),
        video_mask,
        rng.standard_normal((3, 16, SPEC.audio_steps), np.float32),
        audio_mask,
    )


def test_attention_maps_of_an_export_are_those_of_its_checkpoint(attending):
    batch = batch_with_masks()
    backend = OnnxBackend(read_bundle(attending), threads=1)
    logits, exported = backend.attend(batch)
    np.testing.assert_allclose(logits, backend.logits(batch), atol=1e-5)
    trained = TorchBackend(attending / "fusion").attend(batch)[1]
    assert set(exported) == set(MAPS) and set(MAPS) < set(trained)
    for name, found in exported.items():
        for mine, theirs in zip(found, trained[name], strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
    rows = exported["transformer.video"].weights.sum(axis=2)
    np.testing.assert_allclose(rows, batch.video_mask.astype(float), atol=1e-5)


def test_a_model_without_a_face_network_reads_features_of_the_packaged_one(attending):
    assert not (attending / "face.onnx").exists()
    crops = np.random.default_rng(0).integers(0, 255, (2, 48, 48), dtype=np.uint8)
    mine, packaged = OnnxBackend(read_bundle(attending)), OnnxBackend(read_bundle())
    assert (mine.crop_px, mine.colour) == (packaged.crop_px, packaged.colour)
    np.testing.assert_array_equal(mine.encode_faces(crops), packaged.encode_faces(crops))
    spec = packaged.spec
    silent = ModelInput(
        np.zeros((1, spec.video_steps, 7), np.float32),
        np.ones((1, spec.video_steps), bool),
        np.zeros((1, spec.audio_dim, spec.audio_steps), np.float32),
        np.zeros((1, spec.audio_steps), bool),
    )
    logits, maps = packaged.attend(silent)
    assert maps == {} and np.array_equal(logits, packaged.logits(silent))


def test_maps_that_are_not_those_of_the_card_are_refused(attending, tmp_path):
    for path in attending.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = json.loads((tmp_path / "avtca.json").read_text())
    card["attention"]["transformer.video"]["key_times"].pop()
    (tmp_path / "avtca.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"its card promises \(3, 4, 8, "):
        OnnxBackend(read_bundle(tmp_path)).attend(batch_with_masks())
    card["attention"]["transformer.video"]["key_times"] = [2.0]
    (tmp_path / "avtca.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="attention"):
        read_bundle(tmp_path)
