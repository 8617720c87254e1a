"""Each box of the video trunk against a second formula, on tiny fixed weights."""

import numpy as np
import pytest
import torch
from networks import stir
from numpy_boxes import batch_norm, conv2d, linear, max_pool2d, relu, same, sigmoid, under, weights

from avtca.model.channel_spatial_attention import ChannelSpatialAttention
from avtca.model.inverted_residual import InvertedResidualUnit, inverted_residual_stage
from avtca.model.local_features import LocalFeatureExtractor
from avtca.model.video_trunk import VideoTrunk


@pytest.mark.parametrize(("channel", "spatial"), [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_channel_and_spatial_attention(channel: bool, spatial: bool) -> None:
    box = stir(ChannelSpatialAttention(32, channel=bool(channel), spatial=bool(spatial)))
    x = torch.randn(2, 32, 10, 9)
    w, a = weights(box), x.double().numpy()
    weight = np.ones((1, 1, 1, 1))
    if channel:
        y = linear(a.mean((2, 3)), w, "channel.mlp.0")
        y = linear(relu(batch_norm(y, w, "channel.mlp.1")), w, "channel.mlp.3")
        weight = y[:, :, None, None]
    if spatial:
        y = conv2d(a, w["spatial.conv.0.weight"], w["spatial.conv.0.bias"])
        for at in (3, 6):
            y = relu(batch_norm(y, w, f"spatial.conv.{at - 2}"))
            kernel, bias = w[f"spatial.conv.{at}.weight"], w[f"spatial.conv.{at}.bias"]
            y = conv2d(y, kernel, bias, padding=4, dilation=4)
        y = relu(batch_norm(y, w, "spatial.conv.7"))
        weight = weight * conv2d(y, w["spatial.conv.9.weight"], w["spatial.conv.9.bias"])
    same(box(x), sigmoid(weight) * a if channel or spatial else a)


@pytest.mark.parametrize("kind", ["separable", "depthwise"])
def test_local_features(kind: str) -> None:
    box = stir(LocalFeatureExtractor(3, 6, stride=2, kind=kind))
    x = torch.randn(1, 3, 8, 12)
    w, a = weights(box), x.double().numpy()
    rows = []
    for i, top in enumerate((0, 4)):
        row = []
        for j, left in enumerate((0, 6)):
            y, n = a[:, :, top : top + 4, left : left + 6], f"quadrants.{2 * i + j}."
            q = under(w, n)
            y = batch_norm(conv2d(y, q["0.weight"], stride=2, padding=1, groups=3), q, "1")
            if kind == "depthwise":
                y = conv2d(relu(y), q["3.weight"], padding=1, groups=6)
                y = relu(batch_norm(y, q, "4"))
            else:
                y = relu(batch_norm(conv2d(y, q["2.weight"]), q, "3"))
                y = batch_norm(conv2d(y, q["5.weight"], padding=1, groups=6), q, "6")
                y = relu(batch_norm(conv2d(y, q["7.weight"]), q, "8"))
            row.append(y)
        rows.append(np.concatenate(row, axis=3))
    same(box(x), np.concatenate(rows, axis=2))


def unit(x: np.ndarray, w: dict[str, np.ndarray], stride: int) -> np.ndarray:
    """One inverted residual unit."""
    half = x.shape[1] // 2
    kept, y = (x[:, :half], x[:, half:]) if stride == 1 else (x, x)
    if stride == 2:
        kept = conv2d(x, w["branch1.0.weight"], stride=2, padding=1, groups=x.shape[1])
        kept = conv2d(batch_norm(kept, w, "branch1.1"), w["branch1.2.weight"])
        kept = relu(batch_norm(kept, w, "branch1.3"))
    y = relu(batch_norm(conv2d(y, w["branch2.0.weight"]), w, "branch2.1"))
    y = conv2d(y, w["branch2.3.weight"], stride=stride, padding=1, groups=y.shape[1])
    y = conv2d(batch_norm(y, w, "branch2.4"), w["branch2.5.weight"])
    y = relu(batch_norm(y, w, "branch2.6"))
    out = np.empty((len(y), 2 * y.shape[1], *y.shape[2:]))
    out[:, 0::2], out[:, 1::2] = kept, y
    return out


def test_inverted_residual_units() -> None:
    box = stir(inverted_residual_stage(3, 8, units=2))
    x = torch.randn(2, 3, 8, 8)
    w = weights(box)
    y = unit(x.double().numpy(), under(w, "0."), 2)
    same(box(x), unit(y, under(w, "1."), 1))
    with pytest.raises(ValueError, match="even"):
        InvertedResidualUnit(3, 7, stride=2)
    with pytest.raises(ValueError, match="equal"):
        InvertedResidualUnit(3, 8, stride=1)


def test_video_trunk_as_the_figure_draws_it() -> None:
    box = stir(VideoTrunk(units=(1, 1), width=5, local_kind="depthwise"))
    x = torch.rand(1, 3, 32, 32)
    w, a = weights(box), x.double().numpy()
    stem = relu(batch_norm(conv2d(a, w["stem.0.weight"], stride=2, padding=1), w, "stem.1"))
    stem = max_pool2d(stem)
    double = torch.from_numpy(stem).float()
    y = box.attention(double) + box.local(double)
    y = unit(y.detach().double().numpy(), under(w, "stages.0.0."), 2)
    y = unit(y, under(w, "stages.1.0."), 2)
    y = relu(batch_norm(conv2d(y, w["project.0.weight"]), w, "project.1"))
    same(box(x), y.mean((2, 3)))
    with pytest.raises(ValueError, match="multiple of 16"):
        box(torch.rand(1, 3, 40, 40))
