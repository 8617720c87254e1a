"""The packaged face network as one that can be trained, exported and joined anew.

Fusion networks are trained more often than the face network, which takes two hours. In the ONNX
file its batch norms are folded into the convolutions before them; here each norm is given what it
added.
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
"""What a norm adds whose convolution has a bias, in which it is then."""


def network_of(card: dict[str, Any]) -> ExpressionNetwork:
    """Of the sizes that faces.py wrote, with fresh weights."""
    trunk = VideoTrunk(**{**card["trunk"], "units": tuple(card["trunk"]["units"])})
    return ExpressionNetwork(trunk, n_labels=len(FERPLUS))


def packaged_face(weights: Path) -> tuple[ExpressionNetwork, dict[str, Any]]:
    """The network, and what faces.py had written of it. ``weights``: a packaged model's folder.

    Raises ``KeyError`` for a bundle whose face network is another one.
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
