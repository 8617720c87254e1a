"""A second implementation of the released networks: names, shapes and forward pass.

Written from the public repositories, with PyTorch's functions on a plain dictionary; it uses
nothing of avtca.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]


def efficientface(draw: torch.Generator, *, classifier: bool = True) -> State:
    """EfficientFace's state dict (AffectNet-7: seven outputs)."""
    s = _Maker(draw)
    s.conv_bn("conv1.0", "conv1.1", 29, 3, 3)
    sizes = (29, 116, 232, 464)
    for stage, units in enumerate((4, 8, 4)):
        for unit in range(units):
            c_out, half = sizes[stage + 1], sizes[stage + 1] // 2
            c_in = sizes[stage] if unit == 0 else half
            name = f"stage{stage + 2}.{unit}"
            if unit == 0:
                s.conv_bn(f"{name}.branch1.0", f"{name}.branch1.1", c_in, 1, 3)
                s.conv_bn(f"{name}.branch1.2", f"{name}.branch1.3", half, c_in, 1)
            s.conv_bn(f"{name}.branch2.0", f"{name}.branch2.1", c_out // 2, c_in, 1)
            s.conv_bn(f"{name}.branch2.3", f"{name}.branch2.4", half, 1, 3)
            s.conv_bn(f"{name}.branch2.5", f"{name}.branch2.6", half, half, 1)
    for patch in range(1, 5):
        for layer in (1, 2):
            s.conv_bn(f"local.conv{patch}_{layer}", f"local.bn{patch}_{layer}", 116, 1, 3)
    gate = "modulator.channel_att.gate_c.gate_c_"
    s.linear(f"{gate}fc_0", 7, 116)
    s.norm(f"{gate}bn_1", 7)
    s.linear(f"{gate}fc_final", 116, 7)
    gate = "modulator.spatial_att.gate_s.gate_s_"
    s.conv(f"{gate}conv_reduce0", (7, 116, 1, 1), bias=True)
    s.norm(f"{gate}bn_reduce0", 7)
    for i in (0, 1):
        s.conv(f"{gate}conv_di_{i}", (7, 7, 3, 3), bias=True)
        s.norm(f"{gate}bn_di_{i}", 7)
    s.conv(f"{gate}conv_final", (1, 7, 1, 1), bias=True)
    s.conv_bn("conv5.0", "conv5.1", 1024, 464, 1)
    if classifier:
        s.linear("fc", 7, 1024)
    return s.state


def network(fusion: str, *, shared: bool, labels: int = 8, seed: int = 0) -> State:
    """The whole state dict; ``shared`` is AVT-CA's extra ``finalAttention``."""
    draw = torch.Generator().manual_seed(seed)
    s = _Maker(draw)
    for branch, widths in (
        ("audio_model", (10, 64, 128, 256, 128)),
        ("visual_model", (1024, 64, 64, 128, 128)),
    ):
        for i in range(4):
            s.conv(f"{branch}.conv1d_{i}.0", (widths[i + 1], widths[i], 3), bias=True)
            s.norm(f"{branch}.conv1d_{i}.1", widths[i + 1])
        s.linear(f"{branch}.classifier_1.0", labels, 128)
    trunk = efficientface(draw, classifier=False)
    s.state.update({f"visual_model.{name}": value for name, value in trunk.items()})
    d_a, d_v = (128, 128) if fusion == "lt" else (128, 64)
    for name, d_q, d_k in (("av", d_a, d_v), ("va", d_v, d_a)):
        name = name if fusion == "lt" else f"{name}1"
        inner = name if fusion == "ia" else f"{name}.attn"
        s.state[f"{inner}.q.weight"] = s.draw_of(d_q, d_q)
        s.state[f"{inner}.kv.weight"] = s.draw_of(2 * d_q, d_k)
        s.linear(f"{inner}.proj", d_q, d_q)
        if fusion != "ia":
            s.layer_norm(f"{name}.norm1_q", d_q)
            s.layer_norm(f"{name}.norm1_k", d_k)
            s.layer_norm(f"{name}.norm2", d_q)
            s.linear(f"{name}.mlp.fc1", 2 * d_q, d_q)
            s.linear(f"{name}.mlp.fc2", d_q, 2 * d_q)
    if shared:
        s.state["finalAttention.in_proj_weight"] = s.draw_of(384, 128)
        s.state["finalAttention.in_proj_bias"] = s.draw_of(384)
        s.linear("finalAttention.out_proj", 128, 128)
    s.linear("classifier_1.0", labels, 256)
    return s.state


class _Maker:
    """Random tensors under the authors' names."""

    def __init__(self, draw: torch.Generator) -> None:
        self.draw, self.state = draw, {}

    def draw_of(self, *shape: int) -> Tensor:
        fan_in = math.prod(shape[1:]) if len(shape) > 1 else 25
        return torch.randn(shape, generator=self.draw) / math.sqrt(fan_in)

    def conv(self, name: str, shape: tuple[int, ...], *, bias: bool) -> None:
        self.state[f"{name}.weight"] = self.draw_of(*shape)
        if bias:
            self.state[f"{name}.bias"] = self.draw_of(shape[0])

    def linear(self, name: str, d_out: int, d_in: int) -> None:
        self.conv(name, (d_out, d_in), bias=True)

    def layer_norm(self, name: str, d: int) -> None:
        self.state[f"{name}.weight"] = 1 + self.draw_of(d)
        self.state[f"{name}.bias"] = self.draw_of(d)

    def norm(self, name: str, c: int) -> None:
        self.layer_norm(name, c)
        self.state[f"{name}.running_mean"] = self.draw_of(c)
        self.state[f"{name}.running_var"] = 0.5 + torch.rand(c, generator=self.draw)
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def conv_bn(self, conv: str, norm: str, c_out: int, c_in: int, kernel: int) -> None:
        """``c_in`` is 1 for a depthwise convolution."""
        self.conv(conv, (c_out, c_in, kernel, kernel), bias=False)
        self.norm(norm, c_out)


def forward(s: State, fusion: str, audio: Tensor, crops: Tensor, *, heads: int) -> Tensor:
    """``audio (b, 10, t_a)``, ``crops (b, t_v, 3, 224, 224)`` -> logits ``(b, labels)``."""
    shared = "finalAttention.in_proj_weight" in s and fusion == "it"
    b, t = crops.shape[:2]
    vectors = trunk(_under(s, "visual_model."), crops.flatten(0, 1)).view(b, t, 1024)
    v = _convs(s, "visual_model", (0, 1), vectors.transpose(1, 2))
    a = _convs(s, "audio_model", (0, 1), audio)
    if fusion == "it":
        more_a = _block(_under(s, "av1."), v.mT, a.mT, heads).mT
        more_v = _block(_under(s, "va1."), a.mT, v.mT, heads).mT
        a, v = a + more_a, v + more_v
    if fusion == "ia":
        _, seen_v = _attend(_under(s, "av1."), v.mT, a.mT, heads)
        _, seen_a = _attend(_under(s, "va1."), a.mT, v.mT, heads)
        a = a * seen_a.mean(1, keepdim=True).sum(-2)
        v = v * seen_v.mean(1, keepdim=True).sum(-2)
    a = _convs(s, "audio_model", (2, 3), a)
    v = _convs(s, "visual_model", (2, 3), v)
    if fusion == "lt":
        a, v = (
            _block(_under(s, "av."), v.mT, a.mT, heads).mT,
            _block(_under(s, "va."), a.mT, v.mT, heads).mT,
        )
    if shared:
        a, v = (_self(s, x.permute(2, 0, 1), heads).permute(1, 2, 0) for x in (a, v))
    pooled = torch.cat((a.mean(-1), v.mean(-1)), -1)
    return F.linear(pooled, s["classifier_1.0.weight"], s["classifier_1.0.bias"])


def trunk(s: State, x: Tensor) -> Tensor:
    """EfficientFace down to the global average pool: ``(n, 3, 224, 224) -> (n, 1024)``."""
    x = F.relu(_bn(s, "conv1.1", F.conv2d(x, s["conv1.0.weight"], stride=2, padding=1)))
    x = F.max_pool2d(x, 3, 2, 1)
    y = _stage(s, "stage2", x, 4)
    pooled = F.avg_pool2d(y, y.shape[2]).flatten(1)
    gate = "modulator.channel_att.gate_c.gate_c_"
    c = F.linear(pooled, s[f"{gate}fc_0.weight"], s[f"{gate}fc_0.bias"])
    c = F.relu(_bn(s, f"{gate}bn_1", c))
    c = F.linear(c, s[f"{gate}fc_final.weight"], s[f"{gate}fc_final.bias"])
    gate = "modulator.spatial_att.gate_s.gate_s_"
    p = F.conv2d(y, s[f"{gate}conv_reduce0.weight"], s[f"{gate}conv_reduce0.bias"])
    p = F.relu(_bn(s, f"{gate}bn_reduce0", p))
    for i in (0, 1):
        weight, bias = s[f"{gate}conv_di_{i}.weight"], s[f"{gate}conv_di_{i}.bias"]
        p = F.relu(_bn(s, f"{gate}bn_di_{i}", F.conv2d(p, weight, bias, padding=4, dilation=4)))
    p = F.conv2d(p, s[f"{gate}conv_final.weight"], s[f"{gate}conv_final.bias"])
    y = torch.sigmoid(c[:, :, None, None] * p) * y
    y = y + _local(s, x)
    y = _stage(s, "stage4", _stage(s, "stage3", y, 8), 4)
    y = F.relu(_bn(s, "conv5.1", F.conv2d(y, s["conv5.0.weight"])))
    return y.mean((2, 3))


def _local(s: State, x: Tensor) -> Tensor:
    out = []
    corners = {1: (0, 0), 2: (28, 0), 3: (0, 28), 4: (28, 28)}
    for n, (top, left) in corners.items():
        y = x[:, :, top : top + 28, left : left + 28]
        y = F.conv2d(y, s[f"local.conv{n}_1.weight"], stride=2, padding=1, groups=29)
        y = F.relu(_bn(s, f"local.bn{n}_1", y))
        y = F.conv2d(y, s[f"local.conv{n}_2.weight"], padding=1, groups=116)
        out.append(F.relu(_bn(s, f"local.bn{n}_2", y)))
    return torch.cat((torch.cat(out[:2], 2), torch.cat(out[2:], 2)), 3)


def _stage(s: State, name: str, x: Tensor, units: int) -> Tensor:
    for unit in range(units):
        w, stride = _under(s, f"{name}.{unit}."), 2 if unit == 0 else 1
        kept, y = (x, x) if stride == 2 else x.chunk(2, 1)
        if stride == 2:
            kept = F.conv2d(kept, w["branch1.0.weight"], stride=2, padding=1, groups=x.shape[1])
            kept = F.conv2d(_bn(w, "branch1.1", kept), w["branch1.2.weight"])
            kept = F.relu(_bn(w, "branch1.3", kept))
        y = F.relu(_bn(w, "branch2.1", F.conv2d(y, w["branch2.0.weight"])))
        y = F.conv2d(y, w["branch2.3.weight"], stride=stride, padding=1, groups=y.shape[1])
        y = F.conv2d(_bn(w, "branch2.4", y), w["branch2.5.weight"])
        y = F.relu(_bn(w, "branch2.6", y))
        x = torch.stack((kept, y), 2).flatten(1, 2)  # channel shuffle of two groups
    return x


def _convs(s: State, branch: str, which: tuple[int, int], x: Tensor) -> Tensor:
    for i in which:
        w = _under(s, f"{branch}.conv1d_{i}.")
        padding = 1 if branch == "visual_model" else 0
        x = F.relu(_bn(w, "1", F.conv1d(x, w["0.weight"], w["0.bias"], padding=padding)))
        x = F.max_pool1d(x, 2, 1) if branch == "audio_model" else x
    return x


def _block(s: State, x: Tensor, query: Tensor, heads: int) -> Tensor:
    keys = F.layer_norm(x, x.shape[-1:], s["norm1_k.weight"], s["norm1_k.bias"])
    q = F.layer_norm(query, query.shape[-1:], s["norm1_q.weight"], s["norm1_q.bias"])
    y, _ = _attend(_under(s, "attn."), keys, q, heads)
    z = F.layer_norm(y, y.shape[-1:], s["norm2.weight"], s["norm2.bias"])
    z = F.gelu(F.linear(z, s["mlp.fc1.weight"], s["mlp.fc1.bias"]))
    return y + F.linear(z, s["mlp.fc2.weight"], s["mlp.fc2.bias"])


def _attend(s: State, x: Tensor, query: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    q = F.linear(query, s["q.weight"]).unflatten(2, (heads, -1)).transpose(1, 2)
    k, v = F.linear(x, s["kv.weight"]).chunk(2, -1)
    k, v = (y.unflatten(2, (heads, -1)).transpose(1, 2) for y in (k, v))
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    mixed = (weights @ v).transpose(1, 2).flatten(2)
    return F.linear(mixed, s["proj.weight"], s["proj.bias"]), weights


def _self(s: State, x: Tensor, heads: int) -> Tensor:
    """PyTorch's own multi-head attention on ``(t, b, 128)``."""
    out, _ = F.multi_head_attention_forward(
        x,
        x,
        x,
        128,
        heads,
        s["finalAttention.in_proj_weight"],
        s["finalAttention.in_proj_bias"],
        None,
        None,
        False,
        0.0,
        s["finalAttention.out_proj.weight"],
        s["finalAttention.out_proj.bias"],
        training=False,
    )
    return out


def _bn(s: State, name: str, x: Tensor) -> Tensor:
    mean, var = s[f"{name}.running_mean"], s[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, s[f"{name}.weight"], s[f"{name}.bias"])


def _under(s: State, prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in s.items() if k.startswith(prefix)}
