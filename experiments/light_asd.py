"""Purpose: convert the published weights of Light-ASD for ``avtca predict --speaker-model``.

    python experiments/light_asd.py pretrain_AVA_CVPR.model light_asd.onnx

Cost: seconds. The weights (1.0 M numbers, MIT licence) are those of Liao et al., "A Light Weight
Model for Active Speaker Detection" (CVPR 2023), https://github.com/Junhua-Liao/Light-ASD, trained
on AVA-ActiveSpeaker. They are not part of avtca. The layers below follow the paper, and weights of
another shape are refused. The ONNX file has two parts, so that faces need not be kept: faces to
embeddings, and embeddings with the audio to log odds.
"""

import sys
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose
from torch import Tensor, nn

from avtca.speaker.model import FACES, LOG_ODDS, MFCC, MOTION, MOTION_OF, PIXEL_MEAN, PIXEL_STD

WIDTHS = 1, 32, 64, 128
BATCH_NORM: dict[str, float] = {"eps": 1e-3}


class Block(nn.Module):
    """Two paths, with kernels of 3 and 5: a convolution over space, then one over time; their sum.

    Args:
        layers: Names of the convolution over space: "s" for images, "m" for audio.
        n_in: Channels of the input.
        n_out: Channels of the output.
        stride: Stride over space.
    """

    def __init__(self, layers: str, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.names = [(f"{layers}_{k}", f"t_{k}") for k in (3, 5)]
        for k, pair in zip((3, 5), self.names, strict=True):
            for name, channels in zip(pair, (n_in, n_out), strict=True):
                is_space = name[0] != "t"
                if layers == "s":
                    shape = (1, k, k) if is_space else (k, 1, 1)
                    step: Any = (1, stride, stride) if is_space else 1
                    made: nn.Module = nn.Conv3d(
                        channels, n_out, shape, step, tuple(x // 2 for x in shape), bias=False
                    )
                else:
                    flat = (k, 1) if is_space else (1, k)
                    pad = tuple(x // 2 for x in flat)
                    made = nn.Conv2d(channels, n_out, flat, 1, pad, bias=False)  # type: ignore[arg-type]
                self._add(name, made, n_out)
        last = nn.Conv3d if layers == "s" else nn.Conv2d
        self._add("last", last(n_out, n_out, 1, bias=False), n_out)

    def _add(self, name: str, convolution: nn.Module, channels: int) -> None:
        is_video = isinstance(convolution, nn.Conv3d)
        norm = (nn.BatchNorm3d if is_video else nn.BatchNorm2d)(channels, **BATCH_NORM)
        self.add_module(name, convolution)
        self.add_module(f"bn_{name}", norm)

    def _layer(self, name: str, x: Tensor) -> Tensor:
        layers = self._modules
        found, norm = layers[name], layers[f"bn_{name}"]
        assert found is not None and norm is not None
        return torch.relu(norm(found(x)))

    def forward(self, x: Tensor) -> Tensor:
        paths = [self._layer(time, self._layer(space, x)) for space, time in self.names]
        return self._layer("last", paths[0] + paths[1])


class Encoder(nn.Module):
    """Three blocks, with a pooling over space (images) or time (audio) after the first two."""

    def __init__(self, is_video: bool) -> None:
        super().__init__()
        self.is_video = is_video
        for k in (1, 2, 3):
            stride = 2 if is_video and k == 1 else 1
            block = Block("s" if is_video else "m", WIDTHS[k - 1], WIDTHS[k], stride)
            self.add_module(f"block{k}", block)
        self.pool: nn.Module = (
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
            if is_video
            else nn.MaxPool2d((1, 3), (1, 2), (0, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        for k in (1, 2, 3):
            block = self._modules[f"block{k}"]
            assert block is not None
            x = block(x) if k == 3 else self.pool(block(x))
        pooled = x.amax(dim=(3, 4)) if self.is_video else x.mean(dim=2)
        return pooled.transpose(1, 2)


class Detector(nn.Module):
    """Both encoders, and a recurrent layer forward in time, then one backward on its output."""

    def __init__(self) -> None:
        super().__init__()
        self.visualEncoder, self.audioEncoder = Encoder(True), Encoder(False)
        self.GRU = nn.ModuleDict(
            {name: nn.GRU(128, 128, batch_first=True) for name in ("gru_forward", "gru_backward")}
        )

    def fused(self, motion: Tensor, mfcc: Tensor) -> Tensor:
        audio = self.audioEncoder(mfcc.transpose(1, 2)[:, None])
        x = nn.functional.gelu(self.GRU["gru_forward"](audio + motion)[0])
        x = self.GRU["gru_backward"](x.flip(1))[0].flip(1)
        return nn.functional.gelu(x)


class LightAsd(nn.Module):
    """The published network, with the names of its weights; ``lossV`` is used in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Detector()
        self.lossAV = nn.ModuleDict({"FC": nn.Linear(128, 2)})
        self.lossV = nn.ModuleDict({"FC": nn.Linear(128, 2)})


class Faces(nn.Module):
    """Grey faces ``(t, 112, 112)`` to embeddings ``(t, 128)``."""

    def __init__(self, network: LightAsd) -> None:
        super().__init__()
        self.encoder = network.model.visualEncoder

    def forward(self, faces: Tensor) -> Tensor:
        x = (faces.float() / 255 - PIXEL_MEAN) / PIXEL_STD
        return self.encoder(x[None, None])[0]


class Odds(nn.Module):
    """Embeddings ``(t, 128)`` and coefficients ``(4 t, 13)`` to log odds ``(t,)`` of speaking."""

    def __init__(self, network: LightAsd) -> None:
        super().__init__()
        self.network = network

    def forward(self, motion: Tensor, mfcc: Tensor) -> Tensor:
        x = self.network.model.fused(motion[None], mfcc[None])
        silent, speaking = self.network.lossAV["FC"](x)[0].unbind(1)
        return speaking - silent


def read(path: Path) -> LightAsd:
    """The network with the weights of a file; others are refused."""
    network = LightAsd()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    return network.eval()


def write(network: LightAsd, path: Path) -> None:
    """Write both parts as one ONNX file, whose outputs depend on different inputs."""
    parts = []
    faces = torch.zeros(20, 112, 112, dtype=torch.uint8)
    both = torch.zeros(20, 128), torch.zeros(80, 13)
    exported: list[tuple[nn.Module, tuple[Tensor, ...], tuple[str, ...], str]] = [
        (Faces(network), (faces,), (FACES,), MOTION_OF),
        (Odds(network), both, (MOTION, MFCC), LOG_ODDS),
    ]
    for k, (part, example, inputs, output) in enumerate(exported):
        made = path.with_suffix(f".{k}.part")
        torch.onnx.export(
            part,
            example,
            str(made),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: {0: f"t_{name}"} for name in (*inputs, output)},
            opset_version=17,
            dynamo=False,
        )
        parts.append(
            compose.add_prefix(
                onnx.load(str(made)), f"part{k}/", rename_inputs=False, rename_outputs=False
            )
        )
        made.unlink()
    merged = onnx.helper.make_graph(
        [node for one in parts for node in one.graph.node],
        "light_asd",
        [value for one in parts for value in one.graph.input],
        [value for one in parts for value in one.graph.output],
        [value for one in parts for value in one.graph.initializer],
    )
    model = onnx.helper.make_model(merged, opset_imports=parts[0].opset_import, ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    write(read(source), target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
