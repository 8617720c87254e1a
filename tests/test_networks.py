"""Packaged networks: loaded once, and one line for a file that is missing or another one."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from avtca import networks
from avtca.errors import CheckpointError
from avtca.networks import packaged_network

NAME = "vad.onnx"
SHA256 = hashlib.sha256((networks.WEIGHTS / NAME).read_bytes()).hexdigest()


def test_a_network_is_loaded_once_and_runs() -> None:
    network = packaged_network(NAME, SHA256)
    assert packaged_network(NAME, SHA256) is network
    zeros = np.zeros((1, 1, 128), np.float32)
    inputs = {"input": np.zeros((3, 576), np.float32), "h": zeros, "c": zeros}
    values = network.run(["speech_probs"], inputs)[0]
    assert values.shape == (3,) and (values < 0.1).all()


@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_one_line_for_a_missing_or_damaged_file(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (networks.WEIGHTS / NAME).read_bytes()
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    if damage != "missing":
        (tmp_path / NAME).write_bytes(whole[:-1] if damage == "cut" else b"")
    packaged_network.cache_clear()
    with pytest.raises(CheckpointError) as caught:
        packaged_network(NAME, SHA256)
    packaged_network.cache_clear()
    found = {"missing": "No such file or directory"}.get(damage, "it is damaged or from another")
    assert str(caught.value).startswith(f"load {tmp_path / NAME}: {found}")
    assert str(caught.value).endswith("; install avtca again")
    assert "\n" not in str(caught.value)


def test_the_rewritten_voice_network_gives_what_the_original_gives() -> None:
    """Probabilities of `silero_vad_16k_sequence.onnx` for a gliding tone with a formant."""
    t = np.arange(8 * 512 + 64) / 16_000
    phase = 2 * np.pi * np.cumsum(140 * (1 + 0.1 * np.sin(4 * np.pi * t))) / 16_000
    tones = [np.sin(k * phase) * np.exp(-(((k * 140 - 600) / 500) ** 2)) for k in range(1, 25)]
    wave = np.sum(tones, axis=0) * (0.5 + 0.5 * np.sin(8 * np.pi * t)) * 0.2
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float32), 576)[::512]
    zeros = np.zeros((1, 1, 128), np.float32)
    inputs = {"input": np.ascontiguousarray(frames), "h": zeros, "c": zeros}
    values = packaged_network(NAME, SHA256).run(["speech_probs"], inputs)[0]
    original = [0.33166, 0.14580, 0.03110, 0.01605, 0.04195, 0.04738, 0.08400, 0.07146]
    np.testing.assert_allclose(values, original, atol=2e-5)
