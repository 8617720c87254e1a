"""The rewritten face network gives what the exported one gives."""

import numpy as np
import onnx
import onnxruntime
from faster_face import faster
from onnx import TensorProto, helper, numpy_helper

WIDTH = 5


def exported() -> onnx.ModelProto:
    """A stem of five channels, a shuffle of two groups of six channels, and its second half."""
    rng = np.random.default_rng(0)
    shapes = {"stem": (WIDTH, 1, 3, 3), "depth": (WIDTH, 1, 3, 3), "point": (12, WIDTH, 1, 1)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights["bias"] = rng.normal(size=WIDTH).astype(np.float32)
    weights |= {"apart": np.array([-1, 2, 6, 4, 4]), "together": np.array([-1, 12, 4, 4])}
    nodes = [
        helper.make_node("Conv", ["crops", "stem", "bias"], ["a"], pads=[1] * 4),
        helper.make_node("Conv", ["a", "depth"], ["b"], pads=[1] * 4, group=WIDTH),
        helper.make_node("Conv", ["b", "point"], ["c"]),
        helper.make_node("Reshape", ["c", "apart"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["e", "together"], ["f"]),
        helper.make_node("Split", ["f"], ["first", "features"], axis=1, num_outputs=2),
    ]
    graph = helper.make_graph(
        nodes,
        "face",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 6, 4, 4])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_the_features_are_those_of_the_exported_network():
    before = exported()
    after = faster(before)
    crops = np.random.default_rng(1).normal(size=(3, 1, 4, 4)).astype(np.float32)
    one, other = (
        onnxruntime.InferenceSession(each.SerializeToString()).run(["features"], {"crops": crops})
        for each in (before, after)
    )
    np.testing.assert_allclose(one[0], other[0], atol=1e-5)
    assert [node.op_type for node in after.graph.node] == ["Conv", "Conv", "Conv", "Gather"]
    stem = next(one for one in after.graph.initializer if one.name == "stem")
    assert list(stem.dims) == [16, 1, 3, 3]
