"""Frames a second of ``fer``, in an environment of its own that benchmarks/speed.py makes.

    python benchmarks/speed_fer.py FILM FRAMES

Reads the first frames of a film as fer's own example does: every frame, the default detector (Haar
cascade) and the default network (TensorFlow Lite, quantised). fer imports TensorFlow, of 600 MB,
for the TensorFlow Lite runtime alone, so this runtime is given to it in its own package,
``ai-edge-litert``.
"""

import json
import sys
import time
import types


def stand_in() -> None:
    """A module ``tensorflow`` with what fer uses of it."""
    from ai_edge_litert.interpreter import Interpreter

    def missing(*_: object) -> None:
        raise RuntimeError("there is no Keras here")

    tensorflow, keras = types.ModuleType("tensorflow"), types.ModuleType("tensorflow.keras")
    models = types.ModuleType("tensorflow.keras.models")
    models.load_model = missing
    tensorflow.lite = types.SimpleNamespace(Interpreter=Interpreter)
    tensorflow.keras, keras.models = keras, models
    modules = {"tensorflow": tensorflow, "tensorflow.keras": keras}
    sys.modules.update(modules | {"tensorflow.keras.models": models})


def main() -> None:
    """Measure, and print JSON."""
    import cv2

    stand_in()
    from fer.fer import FER

    cv2.setNumThreads(1)
    film, most = cv2.VideoCapture(sys.argv[1]), int(sys.argv[2])
    detector = FER()
    n = n_faces = 0
    cpu, wall = time.process_time(), time.monotonic()
    while n < most:
        more, frame = film.read()
        if not more:
            break
        n, n_faces = n + 1, n_faces + bool(detector.detect_emotions(frame))
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    row = {"frames": n, "with_faces": n_faces, "cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
