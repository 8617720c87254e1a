"""Models from others: each fault is one error, none is an answer."""

import hashlib
import json
import shutil

import numpy as np
import pytest

import avtca
from avtca.compat import upgrade
from avtca.errors import CheckpointError
from avtca.runtime.backends import load_backend
from avtca.runtime.bundle import PACKAGED, PAPER_MODEL
from avtca.runtime.card import check_card
from avtca.runtime.scores import check_outputs

FAULTS = {
    "calibration": [
        lambda card: card["calibration"].update(temperature=0),
        lambda card: card["calibration"].update(temperature=float("nan")),
        lambda card: card["calibration"].update(temperature="hot"),
        lambda card: card["calibration"].update(sure={"both": float("inf")}),
        lambda card: card.update(calibration=[]),
        lambda card: card.pop("calibration"),
    ],
    "files": [
        lambda card: card["files"].update(fusion="../fusion.onnx"),
        lambda card: card["files"].update(fusion="/etc/passwd"),
        lambda card: card["files"].update(more="../../secret"),
        lambda card: card["files"].pop("fusion"),
        lambda card: card.update(files=["fusion.onnx"]),
    ],
    "clip_spec": [
        lambda card: card["clip_spec"].update(window_s=1e9),
        lambda card: card["clip_spec"].update(window_s=float("nan")),
        lambda card: card["clip_spec"].update(video_steps=2.5),
        lambda card: card["clip_spec"].update(sample_rate="fast"),
        lambda card: card["clip_spec"].update(n_fft=10**9),
        lambda card: card["clip_spec"].update(labels=["a", "a"]),
        lambda card: card["clip_spec"].update(labels=["a", "\x1b[2J"]),
        lambda card: card.update(clip_spec=None),
    ],
    "face": [lambda card: card["face"].update(crop_px=10**6)],
    "weights_sha256": [lambda card: card.update(weights_sha256=3)],
    "labels": [lambda card: card.update(labels=["happy"])],
}


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(PACKAGED, tmp_path / "bundle")


def change(bundle, fault):
    card = json.loads((bundle / "avtca.json").read_text())
    fault(card)
    (bundle / "avtca.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("field", "fault"), [(field, fault) for field, faults in FAULTS.items() for fault in faults]
)
def test_a_card_with_a_fault_is_refused_by_the_field(bundle, field, fault):
    change(bundle, fault)
    with pytest.raises(CheckpointError, match=rf"avtca\.json is broken \(.*{field}"):
        load_backend(bundle)


def rehash(bundle):
    digest = hashlib.sha256()
    for name in ("face.onnx", "fusion.onnx"):
        digest.update((bundle / name).read_bytes())
    change(bundle, lambda card: card.update(weights_sha256=digest.hexdigest()))


def test_a_file_that_is_no_network_is_refused(bundle):
    (bundle / "fusion.onnx").write_bytes(b"junk")
    rehash(bundle)
    with pytest.raises(CheckpointError, match="not a network"):
        load_backend(bundle)


@pytest.mark.parametrize("place", ["gone.bin", "../secret.bin"])
def test_weights_outside_the_model_are_refused(bundle, place):
    onnx = pytest.importorskip("onnx")
    (bundle.parent / "secret.bin").write_bytes(bytes(10**7))
    network = onnx.load(bundle / "fusion.onnx")
    onnx.external_data_helper.convert_model_to_external_data(network, location=place)
    for tensor in network.graph.initializer:
        if tensor.external_data:
            tensor.ClearField("raw_data")
    (bundle / "fusion.onnx").write_bytes(network.SerializeToString())
    rehash(bundle)
    with pytest.raises(CheckpointError, match=r"not a network .*External data path"):
        load_backend(bundle)


def test_a_wrong_number_of_labels_is_refused(bundle, sample_clips):
    def fewer(card):
        card["labels"] = card["clip_spec"]["labels"] = ["happy", "sad"]

    change(bundle, fewer)
    with pytest.raises(CheckpointError, match=r"promises \(\d+, 2\)"):
        avtca.load(bundle).predict(sample_clips / "01-01-01-01-01-01-01.mp4")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_numbers_are_refused(value):
    with pytest.raises(CheckpointError, match="not numbers"):
        check_outputs(np.full((1, 7), value), (1, 7), "x")


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("calibration", {"temperature": 0}, "temperature"),
        ("calibration", {"sure": "high"}, "sure"),
        ("clip_spec", {"crop_px": 100_000}, "clip_spec.crop_px"),
    ],
)
def test_a_checkpoints_card_is_checked_too(tmp_path, section, values, words):
    from avtca.clipspec import ClipSpec
    from avtca.model import ModelConfig, build_model
    from avtca.model.checkpoint import save_checkpoint

    spec = ClipSpec(crop_px=32, audio="logmel", audio_dim=16, labels=("calm", "angry"))
    network = build_model("figure", ModelConfig.for_spec(spec))
    save_checkpoint(tmp_path / "mine", network, spec)
    card = json.loads((tmp_path / "mine.json").read_text())
    card[section].update(values)
    (tmp_path / "mine.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=words):
        load_backend(tmp_path / "mine")


@pytest.mark.parametrize("folder", [PACKAGED, PACKAGED / PAPER_MODEL], ids=["default", "avt-ca"])
def test_the_cards_of_the_packaged_models_are_valid(folder):
    """They are not checked each time that they are loaded."""
    card = json.loads((folder / "avtca.json").read_text())
    check_card(upgrade(card))
    with pytest.raises(ValueError, match="temperature"):
        check_card(upgrade(card) | {"calibration": {"temperature": 0}})
