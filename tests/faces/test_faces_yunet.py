"""YuNet's detector on OpenCV itself, with a network that has YuNet's outputs and sees red."""

import numpy as np
import pytest

from avtca.errors import ConfigError
from avtca.faces import YuNetDetector

cv2 = pytest.importorskip("cv2", reason="needs the extra yunet")
onnx = pytest.importorskip("onnx", reason="needs the extra train")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A face, four cells wide and five high, about every cell of 8 x 8 that is red in BGR."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, weights, outputs = [], [], []

    def head(name, stride, kernel, bias):
        values = {
            "w": kernel.astype(np.float32),
            "b": np.asarray(bias, np.float32),
            "s": np.array([1, -1, len(bias)], np.int64),
        }
        weights.extend(onnx.numpy_helper.from_array(v, f"{name}_{k}") for k, v in values.items())
        size = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        inputs = ["input", f"{name}_w", f"{name}_b"]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}_c"], **size))
        nodes.append(helper.make_node("Transpose", [f"{name}_c"], [f"{name}_t"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Reshape", [f"{name}_t", f"{name}_s"], [name]))
        outputs.append(helper.make_tensor_value_info(name, kind, [1, None, len(bias)]))

    for stride in (8, 16, 32):
        nothing = np.zeros((1, 3, stride, stride))
        red = nothing.copy()
        red[0, 2] = (stride == 8) / (255 * stride**2)
        head(f"cls_{stride}", stride, red, [0])
        head(f"obj_{stride}", stride, nothing, [1])
        head(f"bbox_{stride}", stride, nothing.repeat(4, 0), [0.5, 0.5, np.log(4), np.log(5)])
        points = [0, 0, 1, 0, 0.5, 0.5, 0.2, 1, 0.8, 1]
        head(f"kps_{stride}", stride, nothing.repeat(10, 0), points)
    picture = helper.make_tensor_value_info("input", kind, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "yunet", [picture], outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    path = tmp_path_factory.mktemp("yunet") / "model.onnx"
    onnx.save(made, path)
    return path


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("height, width", [(160, 320), (150, 200)])
def test_places_and_colours(model, height, width, scale):
    scale = scale if width == 320 else 1
    rgb = np.zeros((height * scale, width * scale, 3), np.uint8)
    cell = 8 * scale
    rgb[5 * cell : 6 * cell, 7 * cell : 8 * cell] = (255, 0, 0)
    detector = YuNetDetector(model)
    (face,) = detector.detect(rgb)
    assert face.box / scale == pytest.approx([44, 24, 76, 64], abs=0.01)
    marks = [[56, 40], [64, 40], [60, 44], [57.6, 48], [62.4, 48]]
    assert face.landmarks / scale == pytest.approx(np.array(marks), abs=0.01)
    assert face.confidence > 0.9
    assert detector.detect(rgb[:, :, ::-1]) == []


@pytest.mark.parametrize("content", [None, b"", b"not a network" * 50])
def test_files_that_are_no_model(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        YuNetDetector(path)
    assert "\n" not in str(error.value)
