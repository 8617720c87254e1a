"""The packaged face network as a PyTorch network.

Fusion networks are trained more often than the face network, which takes two hours. In the ONNX
file the batch norms are folded into the convolutions before them; here each norm gets the bias that
was folded, and otherwise leaves its input unchanged.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from avtca.labels import FERPLUS
from avtca.model.expression import ExpressionNetwork
from avtca.model.video_trunk import VideoTrunk

NOTHING = np.zeros((), np.float32)
"""Bias of a norm after a convolution that has a bias itself."""


def network_of(card: dict[str, Any]) -> ExpressionNetwork:
    """A network of the sizes in the card of faces.py, with random weights."""
    trunk = VideoTrunk(**{**card["trunk"], "units": tuple(card["trunk"]["units"])})
    return ExpressionNetwork(trunk, n_labels=len(FERPLUS))


def packaged_face(weights: Path) -> tuple[ExpressionNetwork, dict[str, Any]]:
    """The face network of a packaged model and its card.

    Args:
        weights: Folder of the packaged model.

    Raises:
        KeyError: If the bundle has another face network.
    """
    card: dict[str, Any] = json.loads((weights / "avtca.json").read_text())["metrics"]["face"]
    network = network_of(card)
    graph = onnx.load(weights / "face.onnx").graph
    stored = {one.name: np.array(onnx.numpy_helper.to_array(one)) for one in graph.initializer}
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            place, _, number = name.rpartition(".")
            shift = stored.get(f"network.{place}.{int(number) - 1}.weight_bias", NOTHING)
            state[f"{name}.weight"].fill_(1)
            state[f"{name}.bias"].copy_(torch.from_numpy(shift))
            state[f"{name}.running_mean"].fill_(0)
            state[f"{name}.running_var"].fill_(1 - module.eps)
        elif isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            for part in state.keys() & {f"{name}.weight", f"{name}.bias"}:
                state[part].copy_(torch.from_numpy(stored[f"network.{part}"]))
    network.load_state_dict(state)
    return network.eval(), card
