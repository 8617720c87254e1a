"""Purpose: make the packaged lip landmarks, src/avtca/weights/lips.onnx.

    python experiments/default_model/lips.py [OUT] [WHEEL]

Cost: seconds and 36 MB of download. The weights are those of the face mesh with attention of
MediaPipe (Google, Apache-2.0, 16-bit floats), from its wheel on PyPI, pinned by sha256. Only the
first layers and the branch of the lips are kept, 5 % of the computation: the region of the lips,
which the mesh takes from its 468 points of the whole face, is taken from a crop that is aligned by
the corners of the mouth, and then from the lips themselves. Layers that are only convolutions see
nothing else of the face, so that the crop needs no more than the mouth. It is grey: the first layer
sums the weights of red, green and blue. tflite.py reads the file.
Prints the packaged file's sha256, for avtca/speaker/lips.py.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper
from tflite import MEDIAPIPE, Network
from wheels import wheel_member, write_network

from avtca.speaker.lips import CROP_PX, FILE, FIRST_ROI, N_POINTS

MESH = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"
IMAGE, FEATURES, LIP_FEATURES, LIP_POINTS = 0, 35, 199, 697
"""Tensors of the mesh: the image, the features from which the branch of the lips cuts its region,
that region, and its 80 points in 64ths of the region."""
ROI_CELLS, POINT_UNITS, ROI_SCALE, PASSES, STRIDE = 16, 64, 1.5, 2, 4
"""Side of the region in cells, and in units of the points; its size over that of the lips; how
often it is placed; pixels of a cell of the features."""


def weights_along(
    node: Any, constant: Any, axis: int, centre: str, size: str, k: int, nodes: list[Any]
) -> str:
    """Weights of the bilinear interpolation along x (0) or y (1), ``(n, 1, 16, cells)``.

    A cell of the region is placed on the features; the neighbour at distance d has weight 1 - d.
    onnxruntime's GridSample takes ten times as long as the two products of matrices.
    """
    name = f"{'xy'[axis]}_{k}"
    index = constant(f"axis_{axis}", [axis], np.int64)
    nodes += [
        node("Gather", [centre, index], [f"centre_{name}"], axis=1),
        node("Gather", [size, index], [f"size_{name}"], axis=1),
        node("Mul", ["cells", f"size_{name}"], [f"offset_{name}"]),
        node("Add", [f"offset_{name}", f"centre_{name}"], [f"px_{name}"]),
        node("Mul", [f"px_{name}", "to_cells"], [f"cell_{name}"]),
        node("Sub", [f"cell_{name}", "half"], [f"place_{name}"]),
        node("Clip", [f"place_{name}", "zero", "last"], [f"inside_{name}"]),
        node("Unsqueeze", [f"inside_{name}", constant("last_axis", [2], np.int64)], [f"at_{name}"]),
        node("Sub", [f"at_{name}", "columns"], [f"off_{name}"]),
        node("Abs", [f"off_{name}"], [f"distance_{name}"]),
        node("Sub", ["one", f"distance_{name}"], [f"near_{name}"]),
        node("Relu", [f"near_{name}"], [f"share_{name}"]),
        node("Unsqueeze", [f"share_{name}", "channel"], [f"weights_{name}"]),
    ]
    return f"weights_{name}"


def build(mesh: Network) -> GraphProto:
    """ONNX: uint8 crops ``(n, px, px)`` to points in pixels of the crop ``(n, 80, 2)``."""

    def constant(name: str, values: Any, kind: Any = np.float32) -> str:
        mesh.weights[name] = numpy_helper.from_array(np.asarray(values, kind), name)
        return name

    node = helper.make_node
    constant("axes", [1], np.int64)
    constant("half", 0.5)
    constant("byte", 255.0)
    nodes = [
        node("Cast", ["crops"], ["bytes"], to=TensorProto.FLOAT),
        node("Div", ["bytes", "byte"], ["unit"]),
        node("Unsqueeze", ["unit", "channel"], [f"stem_{IMAGE}"]),
        *mesh.nodes(IMAGE, [FEATURES], "stem_"),
    ]
    first = next(one.input[1] for one in nodes if one.op_type == "Conv") + "_16"
    colours = numpy_helper.to_array(mesh.weights[first])
    constant(first, colours.sum(axis=1, keepdims=True, dtype=np.float32), np.float16)
    constant("cells", ((np.arange(ROI_CELLS) + 0.5) / ROI_CELLS - 0.5)[None])
    constant("columns", np.arange(CROP_PX // STRIDE)[None, None])
    constant("cell_px", 1 / POINT_UNITS)
    constant("points_shape", [-1, N_POINTS, 2], np.int64)
    flat = int(mesh.made_by[LIP_POINTS][1].vector(1)[0])  # before they are made rows
    constant("roi_scale", ROI_SCALE)
    constant("to_cells", 1 / STRIDE)
    constant("zero", 0.0)
    constant("one", 1.0)
    constant("last", CROP_PX // STRIDE - 1)
    constant("channel", [1], np.int64)
    centre = constant("centre_0", [[FIRST_ROI[0], FIRST_ROI[1]]])
    size = constant("size_0", [[FIRST_ROI[2], FIRST_ROI[3]]])
    for k in range(PASSES):
        out = "points" if k == PASSES - 1 else f"points_{k}"
        if k == 0:  # the same place for each crop
            nodes += [
                node("Shape", ["crops"], ["n"], start=0, end=1),
                node("Concat", ["n", constant("two", [2], np.int64)], ["n_2"], axis=0),
                node("Expand", [centre, "n_2"], ["centre"]),
                node("Expand", [size, "n_2"], ["size"]),
            ]
            centre, size = "centre", "size"
        weights = {
            axis: weights_along(node, constant, axis, centre, size, k, nodes) for axis in (0, 1)
        }
        nodes += [
            node("Transpose", [weights[0]], [f"across_{k}"], perm=[0, 1, 3, 2]),
            node("MatMul", [weights[1], f"stem_{FEATURES}"], [f"rows_{k}"]),
            node("MatMul", [f"rows_{k}", f"across_{k}"], [f"lips_{k}_{LIP_FEATURES}"]),
            *mesh.nodes(LIP_FEATURES, [flat], f"lips_{k}_"),
            node("Reshape", [f"lips_{k}_{flat}", "points_shape"], [f"cells_{k}"]),
            node("Mul", [f"cells_{k}", "cell_px"], [f"share_{k}"]),
            node("Sub", [f"share_{k}", "half"], [f"from_{k}"]),
            node("Unsqueeze", [size, "axes"], [f"size_{k}_3"]),
            node("Unsqueeze", [centre, "axes"], [f"centre_{k}_3"]),
            node("Mul", [f"from_{k}", f"size_{k}_3"], [f"px_{k}"]),
            node("Add", [f"px_{k}", f"centre_{k}_3"], [out]),
        ]
        if k < PASSES - 1:
            nodes += [
                node("ReduceMax", [out, "axes"], [f"high_{k}"], keepdims=0),
                node("ReduceMin", [out, "axes"], [f"low_{k}"], keepdims=0),
                node("Add", [f"high_{k}", f"low_{k}"], [f"sum_{k}"]),
                node("Mul", [f"sum_{k}", "half"], [f"centre_{k + 1}"]),
                node("Sub", [f"high_{k}", f"low_{k}"], [f"extent_{k}"]),
                node("Mul", [f"extent_{k}", "roi_scale"], [f"size_{k + 1}"]),
            ]
            centre, size = f"centre_{k + 1}", f"size_{k + 1}"
    inputs = [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", CROP_PX, CROP_PX])]
    outputs = [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", N_POINTS, 2])]
    return helper.make_graph(nodes, "lips", inputs, outputs, list(mesh.weights.values()))


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else f"src/avtca/weights/{FILE}")
    wheel = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    mesh = Network(wheel_member(*MEDIAPIPE, MESH, wheel))
    write_network(out, build(mesh))


if __name__ == "__main__":
    main()
