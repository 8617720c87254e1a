"""Properties of every variant."""

import pytest
import torch
from networks import small, tensors
from torch import Tensor

from avtca.errors import ConfigError
from avtca.model.avtca import build_model
from avtca.model.config import ModelConfig
from avtca.model.variants import VARIANTS
from avtca.preprocess import ModelInput

FEATURES = [name for name in VARIANTS if not name.startswith("no_")]
NO_VALUES = {"experts", "experts_attention", "mean_posterior", "statistics"}
"""Variants that combine posteriors."""
PIXELS = ["figure", "released", "no_channel", "no_spatial", "no_local", "experts"]
BOTH = [(name, "features") for name in FEATURES] + [(name, "pixels") for name in PIXELS]
STREAMS = {"audio_only": ("audio",), "video_only": ("video",)}
T_A, T_V = 41, 8


def inputs(video: str, b: int = 2, seed: int = 0, t_a: int = T_A, t_v: int = T_V) -> list[Tensor]:
    """Video, audio and masks with a real start and a masked rest that differs from row to row."""
    draw = torch.Generator().manual_seed(seed)
    shape = (3, 32, 32) if video == "pixels" else (4,)
    masks = [torch.zeros(b, t, dtype=torch.bool) for t in (t_v, t_a)]
    for row in range(b):
        masks[0][row, : T_V - row] = True
        masks[1][row, : T_A - 5 * row] = True
    return [
        torch.rand(b, t_v, *shape, generator=draw),
        torch.randn(b, 5, t_a, generator=draw),
        *masks,
    ]


def with_masked(x: list[Tensor], value: float) -> list[Tensor]:
    """The same input with ``value`` at every masked step."""
    video, audio, video_mask, audio_mask = x
    video, audio = video.clone(), audio.clone()
    video[~video_mask] = value
    audio.swapaxes(1, 2)[~audio_mask] = value
    return [video, audio, video_mask, audio_mask]


def net(variant: str, video: str, **sizes: object) -> torch.nn.Module:
    trunk = {} if video == "features" else {"trunk": {"width": 16}}
    return small(variant, video, **{**trunk, **sizes})


@pytest.mark.parametrize(("variant", "video"), BOTH)
def test_masked_values_change_nothing(variant: str, video: str) -> None:
    model = net(variant, video)
    x = inputs(video)
    first = model(*with_masked(x, 0.0))
    second = model(*with_masked(x, float("nan")))
    torch.testing.assert_close(first.logits, second.logits, atol=1e-6, rtol=0)
    torch.testing.assert_close(first.audio_tokens, second.audio_tokens, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("variant", "video"), BOTH)
def test_padding_changes_nothing(variant: str, video: str) -> None:
    """A window twice as long, its second half masked; the time encoding alone tells it apart."""
    model = net(variant, video, positions=False)
    x = inputs(video)
    longer = inputs(video, seed=1, t_a=2 * T_A - 1, t_v=2 * T_V)
    longer[0][:, :T_V], longer[1][:, :, :T_A] = x[0], x[1]
    torch.testing.assert_close(model(*x).logits, model(*longer).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("variant", "video"), BOTH)
@pytest.mark.parametrize("missing", ["audio", "video", "both"])
def test_a_missing_modality(variant: str, video: str, missing: str) -> None:
    """What stands in it changes nothing; what stands in the other still does; no NaN."""
    model = net(variant, video)
    x = inputs(video)
    if missing != "video":
        x[3][:] = False
    if missing != "audio":
        x[2][:] = False
    out = model(*with_masked(x, 7.0), return_attention=True)
    assert out.logits.isfinite().all()
    for values in out.expert_logits.values():
        assert values.isfinite().all()
    again = model(*with_masked(x, float("nan")))
    torch.testing.assert_close(out.logits, again.logits, atol=1e-6, rtol=0)
    left = {"audio": ("video",), "video": ("audio",), "both": ()}[missing]
    heard = any(name in STREAMS.get(variant, ("audio", "video")) for name in left)
    changed = model(3 * x[0].flip(1) + 1, x[1].flip(2) + 1, x[2], x[3]).logits
    assert (not torch.allclose(out.logits, changed, atol=1e-6)) == heard


@pytest.mark.parametrize(("variant", "video"), BOTH)
def test_gradient_reaches_every_parameter(variant: str, video: str) -> None:
    model = net(variant, video)
    out = model(*inputs(video, b=4, seed=3))
    weights = torch.randn(out.logits.shape)
    loss = (out.logits * weights).sum()
    for values in out.expert_logits.values():
        loss = loss + (values * weights).sum()
    loss.backward()
    dry = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not dry, dry


@pytest.mark.parametrize("variant", FEATURES)
def test_attention_rows_sum_to_one_over_real_keys(variant: str) -> None:
    model = net(variant, "features")
    x = inputs("features")
    out = model(*x, return_attention=True)
    expected = {"transformer": 2, "self_attention": 2, "cross_attention": 2}
    if variant == "figure":
        assert {name.split(".")[0] for name in out.attention} == set(expected)
    for name, found in out.attention.items():
        sums = found.weights.sum(dim=-1)
        torch.testing.assert_close(sums, torch.ones_like(sums))
        b, _, t_q, t_k = found.weights.shape
        assert (found.query_times.shape, found.key_times.shape) == ((t_q,), (t_k,)), name
        assert found.query_mask.shape == (b, t_q)
        assert (found.query_times.diff() > 0).all() and 0 <= found.query_times[0] < 0.5
    if "cross_attention.audio" in out.attention:
        found = out.attention["cross_attention.audio"]
        masked = ~x[2]  # the video branch keeps its clock
        assert not found.weights.swapaxes(1, 3).swapaxes(1, 2)[:, :, 0][0].isnan().any()
        assert not found.weights.amax(dim=(1, 2))[masked].any()
        torch.testing.assert_close(found.key_times, (torch.arange(T_V) + 0.5) / T_V)
    assert model(*x).attention == {}


@pytest.mark.parametrize("variant", FEATURES)
def test_attention_of_an_empty_stream_is_zero(variant: str) -> None:
    model = net(variant, "features")
    x = inputs("features")
    x[3][:] = False
    for name, found in model(*x, return_attention=True).attention.items():
        box, asker = name.split(".")
        over_audio = (asker == "audio") == (box == "self_attention")
        if over_audio:
            assert not found.weights.any(), name


@pytest.mark.parametrize(("variant", "video"), BOTH)
def test_batch_of_one_with_empty_audio(variant: str, video: str) -> None:
    model = net(variant, video)
    x = [part[:1] for part in inputs(video)]
    x[3][:] = False
    assert model(*x).logits.isfinite().all()
    model.train()
    out = model(*x)
    assert out.logits.isfinite().all()
    out.logits.sum().backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in grads)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_training_statistics_ignore_masked_frames() -> None:
    """The trunk's batch norms see real frames alone, so their number and content are the same."""
    x = inputs("pixels")
    states = []
    for value in (0.0, 1.0):
        model = net("figure", "pixels").train()
        model(*with_masked(x, value))
        states.append(model.state_dict())
    for name, first in states[0].items():
        torch.testing.assert_close(first, states[1][name], msg=name)


@pytest.mark.parametrize("variant", FEATURES)
def test_real_samples(variant: str, feature_samples: tuple[ModelInput, Tensor]) -> None:
    model = small(variant, audio_dim=64, video_dim=7, n_labels=8)
    out = model(*tensors(feature_samples[0]))
    assert out.logits.shape == (16, 8) and out.logits.isfinite().all()
    if variant not in STREAMS and model.convolutions:
        assert out.video_tokens.shape == (16, 36, 128)
    assert not out.audio_tokens[~out.audio_mask].any()


def test_names_and_sizes_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="did you mean 'released'"):
        build_model("relesed")
    with pytest.raises(ConfigError, match="video_dim"):
        ModelConfig(video="features")
    with pytest.raises(ConfigError, match="5 heads"):
        build_model("figure", heads=5)
    with pytest.raises(ConfigError, match="pixel front end"):
        build_model("no_local", video="features", video_dim=7)
    with pytest.raises(ConfigError, match="it reads video features"):
        build_model("statistics")
    with pytest.raises(ConfigError, match="same last width"):
        ModelConfig(audio_widths=(8, 8, 8, 16))
    with pytest.raises(ConfigError, match="auxiliary=True"):
        build_model("figure", fusion="late")
    with pytest.raises(ConfigError, match="unknown sizes pool"):
        build_model("figure", pool="max")
    with pytest.raises(ConfigError, match="video trunk"):
        build_model("figure", trunk={"depth": 3})


def test_two_names_of_one_network() -> None:
    x = inputs("features")
    named = net("figure", "features"), net("it4_ct4", "features")
    torch.testing.assert_close(named[0](*x).logits, named[1](*x).logits, atol=0, rtol=0)


def test_sizes_survive_json() -> None:
    config = ModelConfig(heads=2, trunk={"units": (2, 2)}, pooling="mean", channels=1)
    assert ModelConfig.from_dict(config.to_dict()) == config
    model = build_model("experts", config, n_labels=5)
    assert model.config.n_labels == 5 and model.config.pooling == "mean"


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("experts", {"late": "self_cross", "residual": True, "heads": 2, "fusion": "late"}),
        ("experts", {"late": "self_cross", "positions": True, "dropout": 0.5, "fusion": "sum"}),
        ("experts", {"pooling": "attentive", "fusion": "gated"}),
        ("experts", {"fusion": "sum", "auxiliary": False}),
        ("experts", {"utterance_features": 2, "audio_weight": 0.5}),
        ("experts", {"utterance_features": 2, "n_segments": 3}),
        ("experts", {"pitch": True, "audio_stride": 2}),
        ("experts", {"pitch": True, "audio_norm": "none"}),
        ("experts", {"late": "transformer", "fusion": "concatenation", "mlp_ratio": 1.0}),
        ("figure", {"residual": True, "positions": True, "pooling": "attentive"}),
        ("figure", {"video_widths": (6, 8, 10, 16), "audio_widths": (12, 16), "heads": 2}),
        ("released", {"auxiliary": True, "fusion": "late", "pooling": "max"}),
        ("concatenation", {"audio_frontend": "conv2d", "pooling": "mean"}),
        ("figure", {"audio_pool": "slide", "positions": True}),
    ],
)
def test_options_of_every_kind(variant: str, options: dict[str, object]) -> None:
    model = net(variant, "features", **options)
    x = inputs("features", b=4)
    out = model(*with_masked(x, float("nan")))
    torch.testing.assert_close(out.logits, model(*with_masked(x, 0.0)).logits, atol=1e-6, rtol=0)
    (
        out.logits.square().sum() + sum(v.square().sum() for v in out.expert_logits.values())
    ).backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    rebuilt = build_model(variant, ModelConfig.from_dict(model.config.to_dict()))
    rebuilt.load_state_dict(model.state_dict())
    torch.testing.assert_close(rebuilt.eval()(*with_masked(x, 0.0)).logits, out.logits)


def test_pooling_with_stride_one_keeps_the_rate_of_the_audio() -> None:
    x = inputs("features")
    steps = x[1].shape[2]
    halved, slid = (
        net("figure", "features", audio_pool=pool)(*x, return_attention=True)
        for pool in ("halve", "slide")
    )
    keys = [out.attention["cross_attention.video"].key_times for out in (halved, slid)]
    assert (len(keys[0]), len(keys[1])) == (-(-steps // 16), steps - 4)
    spacing = (keys[1][1:] - keys[1][:-1]) * (steps - 1)
    torch.testing.assert_close(spacing, torch.ones_like(spacing))


@pytest.mark.parametrize("variant", ["figure", "released"])
@pytest.mark.parametrize(("height", "width", "channels"), [(32, 32, 1), (64, 96, 3), (96, 96, 1)])
def test_crops_of_any_size(variant: str, height: int, width: int, channels: int) -> None:
    model = net(variant, "pixels", channels=channels)
    x = inputs("pixels")
    x[0] = torch.rand(2, T_V, channels, height, width)
    assert model(*x).logits.isfinite().all()
    with pytest.raises(ValueError, match="px, the trunk needs a multiple of"):
        model(torch.rand(2, T_V, channels, 40, 40), *x[1:])
    with pytest.raises(ValueError, match=r"pixels are \(b, t_v, c, h, w\)"):
        model(x[0][:, :, 0, 0], *x[1:])


@pytest.mark.parametrize("variant", FEATURES)
def test_networks_that_combine_posteriors_predict_no_value(variant):
    config = ModelConfig(video="features", video_dim=4, audio_dim=5, n_labels=1, output="linear")
    if variant in NO_VALUES:
        with pytest.raises(ConfigError, match="it combines posteriors"):
            build_model(variant, config)
    else:
        build_model(variant, config)
