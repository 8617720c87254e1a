"""TensorFlow Lite networks as nodes of ONNX, for the scripts that package them.

Reads the file with flatbuffers, by the numbers of the fields in TensorFlow's schema, and knows the
operators of MediaPipe's face networks. Their weights are 16-bit floats and stay so; ONNX widens
them when the network is opened. Networks of convolutions alone then read images of any size that is
a multiple of all strides together. What differs between the two formats:

- SAME padding of a stride of 2 is uneven: the additional pixel is at the right and at the bottom.
- TensorFlow has the channels last, so that padding and weights are permuted.
- onnxruntime's PReLU is slow: ``max(x, 0) + slope * min(x, 0)`` is ``slope * x + (1 - slope) *
  max(x, 0)``, two depthwise convolutions of one pixel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from flatbuffers import encode, number_types
from flatbuffers.table import Table
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MEDIAPIPE = (
    "mediapipe==0.10.21",
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
)
"""Requirement and sha256 of its wheel."""
ADD, CONCAT, CONV, DEPTHWISE, DEQUANTIZE, MAX_POOL = 0, 2, 3, 4, 6, 17
RELU, RESHAPE, RESIZE, PAD, PRELU = 19, 22, 23, 34, 54
"""TensorFlow's numbers of the operators."""
TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
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


class Network:
    """The operators of a TFLite file as nodes of ONNX.

    Attributes:
        weights: Initializers of the nodes made so far.
        inputs: Tensors.
        outputs: Tensors.
    """

    def __init__(self, data: bytes) -> None:
        model = Record(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
        codes = [
            code.number(3) or code.number(0, number_types.Int8Flags) for code in model.children(1)
        ]
        (graph,) = model.children(2)
        self.tensors, self.buffers = graph.children(0), model.children(4)
        self.inputs, self.outputs = (graph.vector(field).tolist() for field in (1, 2))
        self.made_by = {
            int(out): (codes[operator.number(0)], operator)
            for operator in graph.children(3)
            for out in operator.vector(2)
        }
        self.weights: dict[str, TensorProto] = {}

    def shape(self, tensor: int) -> list[int]:
        """Shape of a tensor, channels last."""
        return [int(n) for n in self.tensors[tensor].vector(0)]

    def constant(self, tensor: int) -> NDArray[Any]:
        """A stored tensor, also where it is dequantized first."""
        if tensor in self.made_by:
            tensor = int(self.made_by[tensor][1].vector(1)[0])
        record = self.tensors[tensor]
        kind = TYPES[record.number(1, number_types.Int8Flags)]
        stored = self.buffers[record.number(2, number_types.Uint32Flags)].vector(0, np.uint8)
        return np.frombuffer(stored.tobytes(), kind).reshape(record.vector(0))

    def add_weight(self, name: str, values: Any, kind: Any) -> str:
        """Store a constant; returns its name."""
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(values, kind), name)
        return name

    def nodes(self, start: int, ends: Sequence[int], prefix: str = "") -> list[onnx.NodeProto]:
        """The operators from one tensor to others, in order.

        Args:
            start: The input, which ONNX calls ``{prefix}{start}``.
            ends: The outputs.
            prefix: Put before the names of tensors, so that operators can be there twice.
        """
        order: list[int] = []
        for end in ends:
            self._visit(end, start, order)
        return [node for tensor in order for node in self._convert(tensor, prefix)]

    def _visit(self, tensor: int, start: int, order: list[int]) -> None:
        if tensor == start or tensor in order:
            return
        code, operator = self.made_by[tensor]
        inputs = [int(one) for one in operator.vector(1)]
        for one in inputs if code in (ADD, CONCAT) else inputs[:1]:
            self._visit(one, start, order)
        order.append(tensor)

    def _widened(self, name: str, values: NDArray[Any]) -> tuple[str, list[onnx.NodeProto]]:
        """Name of a weight that is stored in 16 bits, and the node that widens it."""
        if f"{name}_16" in self.weights:
            return name, []
        self.add_weight(f"{name}_16", values, np.float16)
        return name, [helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT)]

    def _convert(self, tensor: int, prefix: str) -> list[onnx.NodeProto]:
        code, operator = self.made_by[tensor]
        inputs = [int(one) for one in operator.vector(1)]
        first, out = f"{prefix}{inputs[0]}", f"{prefix}{tensor}"
        if code == ADD:
            return [helper.make_node("Add", [first, f"{prefix}{inputs[1]}"], [out])]
        if code == CONCAT:
            names = [f"{prefix}{one}" for one in inputs]
            return [helper.make_node("Concat", names, [out], axis=operator.child(4).number(0))]
        if code == RELU:
            return [helper.make_node("Relu", [first], [out])]
        if code == RESHAPE:  # rows of the last axis, as many as there are
            rows = [0, -1, *self.shape(tensor)[2:]]
            shape = self.add_weight(f"{prefix}{tensor}_shape", rows, np.int64)
            last = helper.make_node("Transpose", [first], [f"{out}_last"], perm=[0, 2, 3, 1])
            return [last, helper.make_node("Reshape", [f"{out}_last", shape], [out])]
        if code == RESIZE:
            scale = np.divide(self.shape(tensor), self.shape(inputs[0]))[[0, 3, 1, 2]]
            name = self.add_weight(f"{prefix}{tensor}_scale", scale, np.float32)
            return [helper.make_node("Resize", [first, "", name], [out], mode="linear")]
        if code == PAD:
            pads = self.constant(inputs[1])[[0, 3, 1, 2]]
            name = self.add_weight(f"{prefix}{tensor}_pads", pads.T.ravel(), np.int64)
            return [helper.make_node("Pad", [first, name], [out])]
        if code == PRELU:
            return self._prelu(inputs[1], first, out)
        options = operator.child(4)
        strides = [options.number(2), options.number(1)]
        if code == MAX_POOL:
            sides = [options.number(4), options.number(3)]
        elif code in (CONV, DEPTHWISE):
            sides = self.shape(inputs[1])[1:3]
        else:
            raise SystemExit(f"an operator that is not expected: {code}")
        keywords: dict[str, Any] = {"kernel_shape": sides, "strides": strides}
        if options.number(0, number_types.Int8Flags) == SAME:
            wide = [max(side - stride, 0) for side, stride in zip(sides, strides, strict=True)]
            keywords["pads"] = [n // 2 for n in wide] + [n - n // 2 for n in wide]
        if code == MAX_POOL:
            return [helper.make_node("MaxPool", [first], [out], **keywords)]
        order = (0, 3, 1, 2) if code == CONV else (3, 0, 1, 2)
        weight, made = self._widened(f"w{inputs[1]}", self.constant(inputs[1]).transpose(order))
        bias, made_too = self._widened(f"w{inputs[2]}", self.constant(inputs[2]))
        keywords["group"] = self.shape(inputs[1])[3] if code == DEPTHWISE else 1
        conv = helper.make_node("Conv", [first, weight, bias], [out], **keywords)
        return [*made, *made_too, conv]

    def _prelu(self, slopes: int, first: str, out: str) -> list[onnx.NodeProto]:
        slope = self.constant(slopes).reshape(-1, 1, 1, 1)
        whole, made = self._widened(f"w{slopes}", slope)
        rest, one = f"w{slopes}_rest", self.add_weight("one", 1.0, np.float32)
        group = {"group": len(slope)}
        return [
            *made,
            *([helper.make_node("Sub", [one, whole], [rest])] if made else []),
            helper.make_node("Relu", [first], [f"{out}_positive"]),
            helper.make_node("Conv", [first, whole], [f"{out}_slope"], **group),
            helper.make_node("Conv", [f"{out}_positive", rest], [f"{out}_rest"], **group),
            helper.make_node("Add", [f"{out}_slope", f"{out}_rest"], [out]),
        ]
