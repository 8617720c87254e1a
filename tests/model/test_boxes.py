"""Each module on streams against a second implementation, on tiny fixed weights."""

import numpy as np
import pytest
import torch
from networks import small, stir, stream
from numpy_boxes import (
    attention,
    batch_norm,
    conv1d,
    gelu,
    layer_norm,
    linear,
    relu,
    same,
    softmax,
    under,
    weights,
)

from avtca.errors import ConfigError
from avtca.model import ModelConfig, build_model, experts, head
from avtca.model.attention import MultiHeadAttention
from avtca.model.chumachenko2022 import IntermediateAttention, LateTransformer
from avtca.model.cross_attention import CrossAttention, CrossAttentions
from avtca.model.masked_norm import MaskedBatchNorm
from avtca.model.pooling import AttentivePool, MaxPool, MeanPool
from avtca.model.self_attention import SelfAttention, SharedSelfAttention, align_to
from avtca.model.streams import Stream, masked_softmax, zero_masked
from avtca.model.temporal_conv import TemporalConv
from avtca.model.time_encoding import TimeEncoding
from avtca.model.transformer_block import TransformerBlock, TransformerBlocks


def test_temporal_conv_same_and_halved() -> None:
    box = stir(TemporalConv(3, 4, pool="halve"))
    x = stream(2, 7, 3, real=[7, 4])
    out = box(x)
    w = weights(box)
    y = conv1d(x.tokens.double().numpy().swapaxes(1, 2), w["conv.weight"], padding=1)
    y = relu(batch_norm(y, w, "norm"))
    y[1, :, 4:] = 0
    pairs = np.concatenate([y, np.zeros((2, 4, 1))], axis=2).reshape(2, 4, 4, 2).max(3)
    same(out.tokens, pairs.swapaxes(1, 2))
    assert out.mask.tolist() == [[True] * 4, [True, True, False, False]]
    np.testing.assert_allclose(out.times, (2 * np.arange(4) + 1) / 7, atol=1e-6)


def test_temporal_conv_as_released() -> None:
    box = stir(TemporalConv(3, 4, padding="valid", pool="slide", bias=True))
    x = stream(2, 9, 3, real=[9, 6])
    out = box(x)
    w = weights(box)
    y = conv1d(x.tokens.double().numpy().swapaxes(1, 2), w["conv.weight"], w["conv.bias"])
    y = relu(batch_norm(y, w, "norm"))
    y = np.maximum(y[:, :, 1:], y[:, :, :-1]).swapaxes(1, 2)
    same(out.tokens[0], y[0])
    same(out.tokens[1, :3], y[1, :3])
    assert out.mask.tolist() == [[True] * 6, [True] * 3 + [False] * 3]
    assert not out.tokens[1, 3:].any()
    np.testing.assert_allclose(out.times, (np.arange(6) + 2) / 9, atol=1e-6)


def test_batch_norm_learns_from_real_steps_alone() -> None:
    box = MaskedBatchNorm(3)
    x = torch.randn(2, 3, 5)
    mask = torch.tensor([[True, True, False, False, False], [True, True, True, False, False]])
    box.train()
    out = box(torch.where(mask[:, None], x, torch.tensor(1e6)), mask)
    real = x.double().numpy().swapaxes(1, 2)[mask.numpy()]
    mean, var = real.mean(0), real.var(0)
    expected = (real - mean) / np.sqrt(var + 1e-5)
    same(out.swapaxes(1, 2)[mask], expected)
    same(box.running_mean, 0.1 * mean)
    same(box.running_var, 0.9 + 0.1 * real.var(0, ddof=1))
    plain = torch.nn.BatchNorm1d(3).train()
    full = torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(MaskedBatchNorm(3).train()(x, full), plain(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("train", [True, False])
def test_batch_norm_with_relu_and_mask_in_one(train: bool) -> None:
    apart, joint = (MaskedBatchNorm(3).train(train) for _ in range(2))
    state = {name: value + 0.5 for name, value in apart.state_dict().items()}
    for box in (apart, joint):
        box.load_state_dict(state)
    x, y = (torch.linspace(-3, 2, 60).sin().reshape(2, 3, 2, 5).requires_grad_() for _ in range(2))
    mask = torch.tensor([[True, True, False, True, False], [True] * 5])
    expected = torch.relu(apart(x, mask)) * mask[:, None, None]
    found = joint.activated(y, mask)
    torch.testing.assert_close(found, expected)
    for out in (expected, found):
        (out * torch.arange(60).reshape(2, 3, 2, 5)).sum().backward()
    torch.testing.assert_close(y.grad, x.grad, atol=1e-4, rtol=1e-5)
    for one, other in zip(joint.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(joint.state_dict(), apart.state_dict())


def test_batch_norm_of_nothing_keeps_its_statistics() -> None:
    box = MaskedBatchNorm(3).train()
    out = box(torch.randn(2, 3, 5), torch.zeros(2, 5, dtype=torch.bool))
    assert out.isfinite().all()
    assert not box.running_mean.any() and (box.running_var == 1).all()


def test_multi_head_attention() -> None:
    box = stir(MultiHeadAttention(4, 3, 5, 6, heads=2, bias=True))
    q, k, v = torch.randn(2, 3, 4), torch.randn(2, 5, 3), torch.randn(2, 5, 5)
    mask = torch.tensor([[True] * 5, [False, True, True, False, True]])
    out, maps = box(q, k, v, mask)
    w = weights(box)
    mixed, expected = attention(
        linear(q.double().numpy(), w, "weigh.query"),
        linear(k.double().numpy(), w, "weigh.key"),
        linear(v.double().numpy(), w, "value"),
        2,
        mask.numpy()[:, None][:, 0],
    )
    same(maps, expected)
    same(out, linear(mixed, w, "project"))


@pytest.mark.parametrize("residual", [False, True])
def test_transformer_blocks(residual: bool) -> None:
    pair = TransformerBlocks(
        TransformerBlock(4, 6, heads=2, residual=residual),
        TransformerBlock(6, 4, heads=2, residual=residual),
    )
    stir(pair)
    audio, video = stream(2, 5, 4), stream(2, 3, 6, real=[3, 2], seed=1)
    new_audio, new_video = pair(audio, video, None)
    for name, own, other, new in (
        ("audio.", audio, video, new_audio),
        ("video.", video, audio, new_video),
    ):
        w = under(weights(pair), name)
        q = own.tokens.double().numpy()
        asks, keys = layer_norm(q, w, "norm_query"), other.tokens.double().numpy()
        keys = layer_norm(keys, w, "norm_key")
        mixed, _ = attention(
            linear(asks, w, "attention.weigh.query"),
            linear(keys, w, "attention.weigh.key"),
            linear(keys, w, "attention.value"),
            2,
            other.mask.numpy(),
        )
        y = linear(mixed, w, "attention.project") + (q if residual else 0)
        y = y + linear(gelu(linear(layer_norm(y, w, "norm_out"), w, "mlp.0")), w, "mlp.2")
        expected = y if residual else q + y
        same(new.tokens, np.where(own.mask.numpy()[..., None], expected, 0))


def test_late_transformer_with_zero_queries_of_an_empty_stream() -> None:
    pair = LateTransformer(TransformerBlock(4, 4, heads=2), TransformerBlock(4, 4, heads=2))
    stir(pair)
    audio, video = stream(1, 5, 4), stream(1, 3, 4, real=[0], seed=1)
    new_audio, new_video = pair(audio, video, None)
    assert not new_audio.tokens.any()
    assert new_video.mask.all() and new_video.tokens.abs().sum() > 0
    expected, _ = pair.video(video._replace(mask=torch.ones(1, 3, dtype=torch.bool)), audio)
    torch.testing.assert_close(new_video.tokens, expected)


def test_intermediate_attention() -> None:
    box = stir(IntermediateAttention(4, 6, heads=2))
    audio, video = stream(2, 5, 4, real=[5, 3]), stream(2, 3, 6, real=[3, 2], seed=1)
    new_audio, new_video = box(audio, video, None)
    w = weights(box)
    a, v = audio.tokens.double().numpy(), video.tokens.double().numpy()
    for asks, keys, name, asker, other, new in (
        (v, a, "video", video, audio, new_audio),
        (a, v, "audio", audio, video, new_video),
    ):
        _, maps = attention(
            linear(asks, w, f"{name}.query"),
            linear(keys, w, f"{name}.key"),
            linear(keys, w, f"{name}.key"),
            2,
            other.mask.numpy(),
        )
        got = (maps.mean(1) * asker.mask.numpy()[:, :, None]).sum(1)
        same(new.tokens, keys * got[:, :, None])


def test_alignment_is_interpolation_between_real_steps() -> None:
    other = stream(2, 6, 3)
    mask = torch.tensor([[True] * 6, [False, True, False, False, True, False]])
    other = Stream(zero_masked(other.tokens, mask), mask, other.times)
    times = (torch.arange(11) + 0.5) / 11
    out = align_to(other, times)
    for row in range(2):
        real = mask[row].numpy()
        for channel in range(3):
            expected = np.interp(
                times.numpy(),
                other.times.numpy()[real],
                other.tokens[row, :, channel].numpy()[real],
            )
            same(out[row, :, channel], expected)
    torch.testing.assert_close(align_to(other, other.times)[0], other.tokens[0])


def test_alignment_to_an_empty_stream_is_zero() -> None:
    empty = stream(1, 4, 2, real=[0])
    assert not align_to(empty, torch.rand(3)).any()


@pytest.mark.parametrize("norm", [False, True])
def test_self_attention_of_the_figure(norm: bool) -> None:
    box = stir(SelfAttention(4, heads=2, norm=norm))
    own, other = stream(2, 5, 4, real=[5, 3]), stream(2, 3, 4, real=[3, 2], seed=1)
    out, maps = box(own, other)
    w = weights(box)
    q = own.tokens.double().numpy()
    v = align_to(other, own.times).double().numpy()
    if norm:
        q, v = layer_norm(q, w, "norm_own"), layer_norm(v, w, "norm_other")
    mixed, expected = attention(
        linear(q, w, "attention.weigh.query"),
        linear(q, w, "attention.weigh.key"),
        linear(v, w, "attention.value"),
        2,
        own.mask.numpy(),
    )
    same(maps, expected)
    same(out, linear(mixed, w, "attention.project"))


def test_shared_self_attention_is_pytorchs_own() -> None:
    box = stir(SharedSelfAttention(8, heads=4))
    theirs = torch.nn.MultiheadAttention(8, 4, batch_first=True).eval()
    with torch.no_grad():
        parts = [box.attention.weigh.query, box.attention.weigh.key, box.attention.value]
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        theirs.out_proj.load_state_dict(box.attention.project.state_dict())
    audio, video = stream(2, 5, 8, real=[5, 3]), stream(2, 4, 8, seed=1)
    for own, new in zip((audio, video), box(audio, video, None), strict=True):
        out, _ = theirs(own.tokens, own.tokens, own.tokens, key_padding_mask=~own.mask)
        torch.testing.assert_close(new.tokens, zero_masked(out, own.mask), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("residual", [False, True])
def test_cross_attention(residual: bool) -> None:
    pair = CrossAttentions(
        CrossAttention(4, heads=2, norm=residual),
        CrossAttention(4, heads=2, norm=residual),
        residual=residual,
    )
    stir(pair)
    audio, video = stream(2, 5, 4, real=[5, 0]), stream(2, 3, 4, real=[2, 3], seed=1)
    news = pair(audio, video, None)
    for name, own, other, new in zip(
        ("audio.", "video."), (audio, video), (video, audio), news, strict=True
    ):
        w = under(weights(pair), name)
        q, k = own.tokens.double().numpy(), other.tokens.double().numpy()
        asks, keys = q, k
        if residual:
            asks, keys = layer_norm(q, w, "norm_own"), layer_norm(k, w, "norm_other")
        for row in range(2):
            has = bool(other.mask[row].any())
            mask = other.mask.numpy()[row : row + 1] | (not has)
            mixed, _ = attention(
                linear(asks[row : row + 1], w, "attention.weigh.query"),
                linear(keys[row : row + 1], w, "attention.weigh.key"),
                linear(keys[row : row + 1], w, "attention.value"),
                2,
                mask,
            )
            out = linear(mixed, w, "attention.project")[0] * has + (q[row] if residual else 0)
            own_mask = own.mask[row].numpy()
            if not residual and not own_mask.any():
                own_mask = ~own_mask  # an empty stream attends
            same(new.tokens[row], np.where(own_mask[:, None], out, 0))


def test_poolings() -> None:
    x = stream(3, 5, 4, real=[5, 3, 0])
    a = x.tokens.double().numpy()
    top, mean = MaxPool()(x), MeanPool()(x)
    box = stir(AttentivePool(4, hidden=3))
    soft = box(x)
    w = weights(box)
    for row, n in enumerate((5, 3)):
        same(top[row], a[row, :n].max(0))
        same(mean[row], a[row, :n].mean(0))
        scores = (np.tanh(linear(a[row, :n], w, "score.0")) @ w["score.2.weight"].T)[:, 0]
        same(soft[row], softmax(scores) @ a[row, :n])
    for pooled in (top, mean, soft):
        assert not pooled[2].any()


def test_of_several_labels_experts_multiply_odds_and_classifiers_average_probabilities():
    """A softmax over labels that exclude each other would keep every probability below 0.5."""
    present = torch.tensor([[True, True], [True, False], [False, False]])
    own = {"audio": torch.tensor([[2.0, -1.0, 3.0]] * 3), "video": torch.tensor([[1.0, -2, 0]] * 3)}
    a = v = torch.zeros(3, 4)
    product = head.Product(0.5, "sigmoid")(a, v, present, own)
    assert product.tolist() == [[2, -2.5, 1.5], [1, -0.5, 1.5], [0, 0, 0]]
    box = stir(head.MeanPosterior(4, 3, "sigmoid"))
    a, v = torch.randn(3, 4), torch.randn(3, 4)
    both = [box.audio(a).sigmoid(), box.video(v).sigmoid()]
    expected = [(both[0][0] + both[1][0]) / 2, both[0][1]]
    torch.testing.assert_close(box(a, v, present, {}).sigmoid()[:2], torch.stack(expected))


@pytest.mark.parametrize("variant", ["experts", "experts_attention", "mean_posterior"])
def test_all_of_several_labels_can_be_predicted_at_once(variant):
    """As trained with ``train.loss: binary``: a bias of every head can make all labels present."""
    network = small(variant, output="sigmoid", n_labels=6)
    with torch.no_grad():
        for value in network.parameters():
            if value.shape == (6,):
                value.fill_(4)
        logits = network(torch.randn(2, 10, 4), torch.randn(2, 5, 41)).logits
    assert (logits.sigmoid() > 0.5).all()


def test_heads() -> None:
    a, v = torch.randn(3, 4), torch.randn(3, 4)
    present = torch.tensor([[True, True], [True, False], [False, False]])
    na, nv = a.double().numpy(), v.double().numpy()
    both = np.concatenate([na, nv], axis=1)

    box = stir(head.Sum(4, 2))
    same(box(a, v, present, {}), linear(na + nv, weights(box), "linear"))
    box = stir(head.Concatenation(4, 2))
    same(box(a, v, present, {}), linear(both, weights(box), "linear"))

    box = stir(head.Gated(4, 2))
    gates = softmax(linear(both, weights(box), "gate"))
    gates[1], gates[2] = (1, 0), (0, 0)
    gated = linear(gates[:, :1] * na + gates[:, 1:] * nv, weights(box), "linear")
    same(box(a, v, present, {}), gated)

    late = stir(head.Late(4, 2, audio_weight=0.25))
    late.joint.load_state_dict(box.state_dict())
    own = {name: torch.randn(3, 2) for name in ("audio", "video", "utterance")}
    logs = {k: np.log(softmax(x.double().numpy())) for k, x in own.items()}
    has = present.numpy()
    seen = (logs["video"] + logs["utterance"]) * has[:, 1:]
    expected = 0.25 * logs["audio"] * has[:, :1] + seen
    same(late(a, v, present, own), gated + expected)
    same(head.Product(0.25)(a, v, present, own), expected)
    with pytest.raises(ConfigError, match="audio_weight 20"):
        ModelConfig(audio_weight=20.0)

    box = stir(head.MeanPosterior(4, 2))
    own = {}
    out = box(a, v, present, own)
    from_a = softmax(linear(na, weights(box), "audio"))
    from_v = softmax(linear(nv, weights(box), "video"))
    same(out[0], np.log((from_a + from_v) / 2)[0])
    same(out[1], np.log(from_a)[1])
    same(own["video"][0], linear(nv, weights(box), "video")[0])
    assert not own["video"][1].any() and out.isfinite().all()


def test_the_utterance_head() -> None:
    box = stir(experts.UtteranceHead(3, 2))
    video, mask = torch.randn(2, 4, 5), torch.tensor([[True, False, True, True], [False] * 4])
    w, a = weights(box), video.double().numpy()
    mean = a[0, [0, 2, 3], 2:].mean(0)
    deviation = np.sqrt(w["norm.running_var"] + box.norm.eps)
    scaled = (mean - w["norm.running_mean"]) / deviation * w["norm.weight"] + w["norm.bias"]
    out = box(torch.where(mask[..., None], video, torch.nan), mask)["utterance"]
    same(out[0], linear(scaled, w, "linear"))
    assert not out[1].any()
    with pytest.raises(ConfigError, match="without a product of experts"):
        build_model("figure", video="features", video_dim=9, utterance_features=3)
    with pytest.raises(ConfigError, match="7 are probabilities"):
        ModelConfig(video="features", video_dim=9, probabilities=7, utterance_features=3)


def test_time_encoding() -> None:
    box = TimeEncoding(6)
    x = stream(1, 4, 6, real=[3])
    t = x.times.double().numpy()[:, None]
    angles = 2 * np.pi * t * np.array([0.5, 4.0, 32.0])
    expected = x.tokens.double().numpy() + 0.1 * np.concatenate(
        [np.sin(angles), np.cos(angles)], axis=1
    )
    expected[:, 3] = 0
    same(box(x).tokens, expected)


def test_masked_softmax() -> None:
    scores, mask = torch.randn(2, 4), torch.tensor([[True, False, True, False], [False] * 4])
    out = masked_softmax(scores, mask)
    same(out[0, [0, 2]], softmax(scores[0, [0, 2]].numpy()))
    assert not out[0, [1, 3]].any() and not out[1].any()
