"""Front ends for features and their options; audio over time and frequency."""

import numpy as np
import pytest
import torch
from networks import stir, stream
from numpy_boxes import batch_norm, conv1d, conv2d, linear, relu, same, weights

from avtca.errors import ConfigError
from avtca.model import ModelConfig
from avtca.model.frontends import AudioFeatures, MissingModality, VideoFeatures
from avtca.model.spectral_conv import SpectralConv
from avtca.model.streams import Stream, zero_masked


def test_logarithms_of_probabilities_are_added() -> None:
    box = VideoFeatures(3, 4, probabilities=2).eval()
    with torch.no_grad():
        box.project.weight.copy_(torch.eye(5)[[0, 2, 3, 4]])
        box.project.bias.zero_()
    x = torch.tensor([[[0.25, 0.75, 5.0], [0.0, 1.0, -1.0], [9.0, 9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    out = box(x, mask).tokens[0].detach().numpy()
    scale = 1 / np.sqrt(1 + box.norm.eps)
    wanted = [
        [0.25, 5.0, np.log(0.25), np.log(0.75)],
        [0.0, -1.0, np.log(1e-3), 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(out, np.array(wanted) * scale, atol=1e-5)
    with pytest.raises(ConfigError, match="8 probabilities among 7"):
        ModelConfig(video="features", video_dim=7, probabilities=8)


def test_level_takes_loudness_away() -> None:
    box = AudioFeatures(4, norm="level")
    rng = np.random.default_rng(0)
    x = rng.uniform(-60, -20, (2, 4, 6)).astype(np.float32)
    mask = np.ones((2, 6), bool)
    mask[1, 4:] = False
    x[0, 2, 3] = -130.0
    got = box(torch.from_numpy(x), torch.from_numpy(mask)).tokens.numpy()
    for row in range(2):
        heard = x[row][:, mask[row]]
        heard = np.maximum(heard, heard.max() - 80)
        np.testing.assert_allclose(
            got[row][mask[row]], (heard - heard.mean()).T / 20, atol=1e-5, rtol=1e-4
        )
        assert not got[row][~mask[row]].any()
    louder = x + np.float32(13)
    np.testing.assert_allclose(
        box(torch.from_numpy(louder), torch.from_numpy(mask)).tokens.numpy(), got, atol=1e-5
    )
    nothing = box(torch.from_numpy(x), torch.zeros(2, 6, dtype=torch.bool)).tokens
    assert not nothing.any() and torch.isfinite(nothing).all()


def test_spectral_convolutions_see_real_steps_alone() -> None:
    torch.manual_seed(0)
    box = SpectralConv(20, 8, width=4)
    x = torch.randn(3, 30, 20)
    mask = torch.ones(3, 30, dtype=torch.bool)
    mask[1, 17:] = False
    times = torch.linspace(0, 1, 30)
    for _ in range(3):
        box(Stream(torch.where(mask[..., None], x, 0), mask, times))
    box.eval()
    whole = box(Stream(torch.where(mask[..., None], x, 0), mask, times))
    assert whole.tokens.shape == (3, 8, 8) and whole.times.shape == (8,)
    assert whole.mask.sum(1).tolist() == [8, 5, 8]
    assert not whole.tokens[1, 5:].any()
    short = box(Stream(x[1:2, :17], mask[1:2, :17], times[:17]))
    torch.testing.assert_close(short.tokens[0], whole.tokens[1, :5])


def test_feature_frontends() -> None:
    box = stir(VideoFeatures(3, 4))
    x = torch.randn(2, 5, 3)
    mask = torch.tensor([[True] * 5, [True, False, True, False, False]])
    w = weights(box)
    out = box(x, mask)
    scaled = batch_norm(x.double().numpy().swapaxes(1, 2), w, "norm").swapaxes(1, 2)
    same(out.tokens, np.where(mask.numpy()[..., None], linear(scaled, w, "project"), 0))
    np.testing.assert_allclose(out.times, [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)

    audio = AudioFeatures(3, norm="none")(x.swapaxes(1, 2), mask)
    torch.testing.assert_close(audio.tokens, zero_masked(x, mask))
    np.testing.assert_allclose(audio.times, [0, 0.25, 0.5, 0.75, 1], atol=1e-6)
    box = stir(AudioFeatures(3))
    scaled = batch_norm(x.double().numpy().swapaxes(1, 2), weights(box), "norm").swapaxes(1, 2)
    same(box(x.swapaxes(1, 2), mask).tokens, np.where(mask.numpy()[..., None], scaled, 0))

    empty = MissingModality(4)(x)
    assert not empty.mask.any() and empty.tokens.shape == (2, 1, 4)
    with pytest.raises(ValueError, match="7 features"):
        AudioFeatures(7)(x.swapaxes(1, 2))
    with pytest.raises(ValueError, match="bool"):
        AudioFeatures(3)(x.swapaxes(1, 2), mask.float())


def test_spectral_conv() -> None:
    box = stir(SpectralConv(20, 5, width=2))
    x = stream(1, 7, 20)
    out = box(x)
    w = weights(box)

    def conv(y: np.ndarray, name: str, padding: int = 1) -> np.ndarray:
        y = conv2d(y, w[f"{name}.conv.weight"], padding=padding)
        return relu(batch_norm(y, w, f"{name}.norm"))

    def pool(y: np.ndarray, over_time: int = 2) -> np.ndarray:
        h, t = y.shape[2:]
        y = np.pad(y, ((0, 0), (0, 0), (0, h % 2), (0, t % over_time)))
        h, t = y.shape[2] // 2, y.shape[3] // over_time
        return y.reshape(1, y.shape[1], h, 2, t, over_time).max((3, 5))

    y = x.tokens.double().numpy().swapaxes(1, 2)[:, None]
    y = pool(conv(y, "stem", padding=2)[:, :, ::2])
    for pair, over_time in (("first", 2), ("second", 1)):
        y = conv(y, f"{pair}.0")
        y = pool(y + conv(y, f"{pair}.1"), over_time)
    y = y.reshape(1, -1, y.shape[3])
    y = relu(batch_norm(conv1d(y, w["flatten.weight"]), w, "norm_out"))
    same(out.tokens, y.swapaxes(1, 2))
