"""A second implementation of the modules in NumPy, from a state dict."""

import math

import numpy as np
import torch

Array = np.ndarray
EPS = 1e-5


def weights(module) -> dict[str, Array]:
    return {k: v.detach().double().numpy() for k, v in module.state_dict().items()}


def under(state: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def linear(x: Array, w: dict[str, Array], name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def batch_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    """Over axis 1, with the running statistics."""
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    scaled = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + EPS)
    return scaled * w[f"{name}.weight"].reshape(shape) + w[f"{name}.bias"].reshape(shape)


def layer_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPS)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def conv1d(x: Array, kernel: Array, bias: Array | float = 0.0, padding: int = 0) -> Array:
    """``x (b, c, t)``, ``kernel (o, c, k)``."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
    k = kernel.shape[2]
    windows = np.stack([x[:, :, i : x.shape[2] - k + 1 + i] for i in range(k)], axis=3)
    return np.einsum("bctk,ock->bot", windows, kernel) + np.reshape(bias, (1, -1, 1))


def conv2d(
    x: Array,
    kernel: Array,
    bias: Array | float = 0.0,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """``x (b, c, h, w)``, ``kernel (o, c / groups, k, k)``."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = kernel.shape[2]
    reach = dilation * (k - 1) + 1
    h = (x.shape[2] - reach) // stride + 1
    w = (x.shape[3] - reach) // stride + 1
    per_in, per_out = x.shape[1] // groups, len(kernel) // groups
    out = np.zeros((len(x), len(kernel), h, w))
    for i in range(k):
        for j in range(k):
            y, z = i * dilation, j * dilation
            part = x[
                :, :, y : y + stride * (h - 1) + 1 : stride, z : z + stride * (w - 1) + 1 : stride
            ]
            for g in range(groups):
                ins, outs = (
                    slice(g * per_in, (g + 1) * per_in),
                    slice(g * per_out, (g + 1) * per_out),
                )
                out[:, outs] += np.einsum("bchw,oc->bohw", part[:, ins], kernel[outs, :, i, j])
    return out + np.reshape(bias, (1, -1, 1, 1))


def max_pool2d(x: Array) -> Array:
    """3x3, stride 2, padding 1."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    h, w = (x.shape[2] - 3) // 2 + 1, (x.shape[3] - 3) // 2 + 1
    parts = [
        x[:, :, i : i + 2 * h - 1 : 2, j : j + 2 * w - 1 : 2] for i in range(3) for j in range(3)
    ]
    return np.max(parts, axis=0)


def attention(
    q: Array, k: Array, v: Array, heads: int, key_mask: Array | None = None
) -> tuple[Array, Array]:
    """``(b, t, d)`` each, head by head; returns the mix ``(b, t_q, d)`` and the weights."""
    width = q.shape[2] // heads
    mixed, maps = [], []
    for n in range(heads):
        part = slice(n * width, (n + 1) * width)
        scores = q[:, :, part] @ np.swapaxes(k[:, :, part], 1, 2) / math.sqrt(width)
        if key_mask is not None:
            scores = np.where(key_mask[:, None], scores, -np.inf)
        w = softmax(scores)
        mixed.append(w @ v[:, :, part])
        maps.append(w)
    return np.concatenate(mixed, axis=2), np.stack(maps, axis=1)


def same(ours: torch.Tensor, theirs: np.ndarray, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=tolerance, rtol=1e-4)
