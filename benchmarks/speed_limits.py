"""Multiply-adds of the networks, beside those of a matrix product on one thread here.

python benchmarks/speed_limits.py        prints a JSON object
"""

import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from avtca.audio import speech, vad
from avtca.networks import WEIGHTS
from avtca.runtime.backends import FACE_BATCH
from avtca.speaker import lips
from avtca.speaker.mouths import BATCH as MOUTHS

WINDOW_S = 3.6
"""Audio in one call of the speech encoder and of voice activity."""
SIDE = 1024
"""Of the square matrices that are multiplied, in single precision."""
REPEATS = 8


def limits() -> dict[str, Any]:
    """For each network and a matrix product: multiply-adds and least CPU seconds of a call."""
    rng = np.random.default_rng(0)

    def values(*shape: int) -> Any:
        return rng.random(shape, np.float32)

    tokens = round(WINDOW_S * speech.RATE) // speech.TOKEN_HOP
    frames = round(WINDOW_S * vad.NETWORK_RATE) // vad.FRAME
    state = np.zeros((1, 1, 128), np.float32)
    feeds = {
        "face network": ("face.onnx", {"crops": values(FACE_BATCH, 1, 48, 48)}, FACE_BATCH),
        "speech encoder": (speech.FILE, {"mel": values(1, speech.BANDS, 2 * tokens)}, WINDOW_S),
        "voice activity": (
            vad.NETWORK,
            {"input": values(frames, vad.CONTEXT + vad.FRAME), "h": state, "c": state},
            WINDOW_S,
        ),
        "lips": (
            lips.FILE,
            {"crops": rng.integers(0, 255, (MOUTHS, lips.CROP_PX, lips.CROP_PX), np.uint8)},
            MOUTHS,
        ),
    }
    found = {}
    for name, (file, inputs, units) in feeds.items():
        session = _session(file)
        seconds = _least(lambda session=session, inputs=inputs: session.run(None, inputs))
        found[name] = {
            "million": round(multiply_adds(file, inputs) / units / 1e6, 1),
            "ms": round(1e3 * seconds / units, 3),
        }
    left, right = values(SIDE, SIDE), values(SIDE, SIDE)
    product = _least(lambda: left @ right)
    found["matrix product"] = {"million": SIDE**3 / 1e6, "ms": round(1e3 * product, 3)}
    return found


def multiply_adds(file: str, inputs: dict[str, Any]) -> int:
    """Multiply-adds of one call: of convolutions, matrix products and recurrent layers."""
    with tempfile.TemporaryDirectory() as folder:
        session = _session(file, profile=str(Path(folder) / "run"))
        session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    count = 0
    for event in events:
        operator = event.get("args", {}).get("op_name")
        if event["name"].endswith("_kernel_time"):
            shapes, out = (
                [shape for one in event["args"][key] for shape in one.values()]
                for key in ("input_type_shape", "output_type_shape")
            )
            if operator == "Conv":
                count += math.prod(out[0]) * math.prod(shapes[1][1:])
            elif operator == "Gemm":
                count += math.prod(out[0]) * math.prod(shapes[1]) // out[0][-1]
            elif operator in ("MatMul", "MatMulInteger"):
                count += math.prod(out[0]) * shapes[0][-1]
            elif operator == "LSTM":
                steps, weights, recurrent = shapes[:3]
                count += steps[0] * steps[1] * (math.prod(weights) + math.prod(recurrent))
    return count


def _session(file: str, profile: str | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:  # the graph as it is, with all shapes of weights
        options.enable_profiling, options.profile_file_prefix = True, profile
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
    return ort.InferenceSession(str(WEIGHTS / file), options, providers=["CPUExecutionProvider"])


def _least(call: Callable[[], object]) -> float:
    """Least CPU seconds of a call."""
    call()
    seconds = []
    for _ in range(REPEATS):
        before = time.process_time()
        call()
        seconds.append(time.process_time() - before)
    return min(seconds)


if __name__ == "__main__":
    print(json.dumps(limits()))
