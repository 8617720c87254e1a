"""Packaged networks: loaded once, and one line for a file that is missing or another one."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from avtca.audio import networks
from avtca.audio.networks import packaged_network
from avtca.errors import CheckpointError

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
