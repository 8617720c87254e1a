"""The packaged face network, taken out of its ONNX file to be packaged anew."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from avtca.model.expression import ExpressionFeatures

ROOT = Path(__file__).parents[2]

import packaged_face  # noqa: E402

WEIGHTS = ROOT / "src" / "avtca" / "weights"


def test_it_says_what_the_onnx_file_says():
    network, card = packaged_face.packaged_face(WEIGHTS)
    stored = {i.name: i for i in onnx.load(WEIGHTS / "face.onnx").graph.initializer}
    bridge = {
        part: torch.from_numpy(np.array(onnx.numpy_helper.to_array(stored[f"bridge.{part}"])))
        for part in ("weight", "bias")
    }
    crops = np.random.default_rng(0).random((8, 1, 48, 48), dtype=np.float32)
    with torch.no_grad():
        found = ExpressionFeatures(network, **bridge).eval()(torch.from_numpy(crops))
    session = onnxruntime.InferenceSession(str(WEIGHTS / "face.onnx"))
    np.testing.assert_allclose(found, session.run(None, {"crops": crops})[0], atol=1e-4)
    assert card["test_accuracy"] > 0.84
