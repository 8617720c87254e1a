"""The networks of the paper, of its parent work, and ours, by name.

A variant is a choice of modules; sizes come from :class:`~avtca.model.config.ModelConfig`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from torch import nn

from avtca.clipspec import PITCH_ROWS
from avtca.compat import VARIANTS as OLD_NAMES
from avtca.errors import ConfigError
from avtca.model import experts, head, pooling
from avtca.model.audio_statistics import AudioStatisticsHead
from avtca.model.avtca import AVTCA, Modules
from avtca.model.chumachenko2022 import IntermediateAttention, LateTransformer
from avtca.model.config import ModelConfig
from avtca.model.cross_attention import CrossAttention, CrossAttentions
from avtca.model.frontends import AudioFeatures, MissingModality, VideoFeatures, VideoPixels
from avtca.model.self_attention import SelfAttention, SelfAttentions, SharedSelfAttention
from avtca.model.spectral_conv import SpectralConv
from avtca.model.temporal_conv import temporal_convs
from avtca.model.time_encoding import TimeEncoding
from avtca.model.transformer_block import PassThrough, TransformerBlock, TransformerBlocks
from avtca.model.video_statistics import VideoStatisticsHead
from avtca.model.video_trunk import VideoTrunk

RELEASED_TRUNK = {"units": (4, 8, 4), "attention_after": "stage2", "local_kind": "depthwise"}
"""EfficientFace, as in the released code."""
FIGURE_TRUNK = {
    "units": (4, 8),
    "attention_after": "stem",
    "local_kind": "depthwise",
    "reduction": 4,
}
"""The figure: attention and local features on the stem's map, two inverted residual blocks."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The modules of a network; :class:`ModelConfig` describes the options that it can override."""

    summary: str
    """Description in the list of networks."""
    source: str
    """Publication, or "ours"."""
    intermediate: Literal["transformer", "attention", "none"] = "none"
    """Step 4: transformer blocks, the parent work's intermediate attention, or nothing."""
    late: Literal["self_cross", "shared_self", "transformer", "none"] = "none"
    streams: Literal["both", "audio", "video"] = "both"
    """Modalities that it reads."""
    released_convs: bool = False
    """Whether convolutions over time are those of the released code (no padding, with bias)."""
    trunk: dict[str, Any] = field(default_factory=lambda: dict(FIGURE_TRUNK))
    """Arguments of :class:`~avtca.model.video_trunk.VideoTrunk`."""
    heads: int = 4
    residual: bool = False
    positions: bool = False
    pooling: Literal["max", "mean", "attentive"] = "max"
    fusion: Literal["sum", "concatenation", "gated", "late", "product", "mean_posterior"] = "sum"
    auxiliary: bool = False
    audio_frontend: Literal["conv1d", "conv2d"] = "conv1d"
    audio_norm: Literal["bands", "level", "none"] = "bands"


_FIGURE = Variant(
    summary="as drawn in the paper",
    source="AVT-CA, figure",
    intermediate="transformer",
    late="self_cross",
)
_PARENT = Variant(
    summary="",
    source="Chumachenko et al. 2022, released code",
    released_convs=True,
    audio_norm="none",
    trunk=dict(RELEASED_TRUNK),
    heads=1,
    pooling="mean",
    fusion="concatenation",
)
_BASELINE = Variant(summary="", source="baseline of ours")
_EXPERTS = Variant(
    summary="an expert for each stream, product of the experts",
    source="ours",
    fusion="product",
    auxiliary=True,
    audio_norm="level",
)


def _ablation(summary: str, **changes: Any) -> Variant:
    return replace(_FIGURE, summary=summary, source="AVT-CA, Table V", **changes)


def _without(part: str, words: str) -> Variant:
    return replace(
        _FIGURE,
        summary=f"figure without {words}",
        source="AVT-CA, ablation of the video parts",
        trunk={**FIGURE_TRUNK, part: False},
    )


VARIANTS: dict[str, Variant] = {
    "figure": _FIGURE,
    "released": replace(
        _PARENT,
        summary="the authors' code, exactly",
        source="AVT-CA, released code",
        intermediate="transformer",
        late="shared_self",
        heads=8,
    ),
    "late_transformer": replace(_PARENT, summary="parent's 'lt' fusion", late="transformer"),
    "intermediate_attention": replace(
        _PARENT, summary="parent's 'ia' fusion", intermediate="attention"
    ),
    "intermediate_transformer": replace(
        _PARENT, summary="parent's 'it' fusion", intermediate="transformer"
    ),
    "it1": _ablation("step 4 alone, 1 head", late="none", heads=1),
    "it4": _ablation("step 4 alone, 4 heads", late="none"),
    "ct1": _ablation("steps 6 and 7 alone, 1 head", intermediate="none", heads=1),
    "ct4": _ablation("steps 6 and 7 alone, 4 heads", intermediate="none"),
    "it1_ct1": _ablation("figure with 1 head", heads=1),
    "it4_ct4": _ablation("figure with 4 heads: the same network as 'figure'"),
    "no_channel": _without("channel", "channel attention"),
    "no_spatial": _without("spatial", "spatial attention"),
    "no_local": _without("local", "the local feature extractor"),
    "audio_only": replace(_BASELINE, summary="audio branch alone", streams="audio"),
    "video_only": replace(_BASELINE, summary="video branch alone", streams="video"),
    "concatenation": replace(
        _BASELINE, summary="pooled vectors concatenated", fusion="concatenation"
    ),
    "mean_posterior": replace(
        _BASELINE, summary="mean of two classifiers' posteriors", fusion="mean_posterior"
    ),
    "experts": _EXPERTS,
    "experts_attention": replace(
        _EXPERTS,
        summary="experts with steps 6 and 7 and a joint head",
        late="self_cross",
        residual=True,
        positions=True,
        pooling="attentive",
        fusion="late",
    ),
}
"""Variants by name."""

_OPTIONS = (
    "late",
    "heads",
    "residual",
    "positions",
    "pooling",
    "fusion",
    "auxiliary",
    "audio_frontend",
    "audio_norm",
)


def variant_named(name: str) -> Variant:
    """The variant of that name, which may be its name in avtca 0.1.

    Raises:
        ConfigError: If there is none; the message suggests the nearest name.
    """
    name = OLD_NAMES.get(name, name)
    if name not in VARIANTS:
        near = get_close_matches(name, VARIANTS, n=1, cutoff=0.0)
        raise ConfigError(
            f"build the network {name!r}",
            "no variant of that name",
            f"did you mean {near[0]!r}? known are {', '.join(VARIANTS)}",
        )
    return VARIANTS[name]


def build_model(variant: str, config: ModelConfig | None = None, **sizes: Any) -> AVTCA:
    """Build an untrained network, in training mode.

    Args:
        variant: Name in :data:`VARIANTS`.
        config: Sizes, by default those of the released code.
        **sizes: Fields of ``config`` to replace.

    Raises:
        ConfigError: For a variant or sizes that do not exist or do not fit together.
    """
    variant = OLD_NAMES.get(variant, variant)
    choice = variant_named(variant)
    given = (config or ModelConfig()).to_dict()
    config = ModelConfig.from_dict({**given, **sizes})
    options = {name: getattr(config, name) for name in _OPTIONS}
    choice = replace(choice, **{k: v for k, v in options.items() if v is not None})
    return AVTCA(_modules(variant, choice, config), variant=variant, config=config)


def _modules(name: str, choice: Variant, config: ModelConfig) -> Modules:
    """The modules of each step."""
    _check(name, choice, config)
    v_before, v_after = _halves(config.video_widths)
    a_before, a_after = _halves(config.audio_widths)
    d_v, d_a, d = v_before[-1], a_before[-1], v_after[-1]
    uses_audio, uses_video = choice.streams != "video", choice.streams != "audio"
    released = choice.released_convs
    padding: Literal["same", "valid"] = "valid" if released else "same"
    pool: Literal["slide", "halve"] = "slide" if released else "halve"
    video_frontend = _video_frontend(choice, config) if uses_video else MissingModality(d)
    audio_frontend = _audio_frontend(choice, config) if uses_audio else MissingModality(d)
    nothing = nn.Identity()
    if not uses_audio:
        audio_before: nn.Module = nothing
    elif choice.audio_frontend == "conv2d":
        audio_before = SpectralConv(audio_frontend.width, d_a)
    else:
        audio_before = temporal_convs(
            audio_frontend.width, a_before, padding=padding, pool=pool, bias=released
        )
    return Modules(
        video_frontend=video_frontend,
        audio_frontend=audio_frontend,
        video_before=temporal_convs(video_frontend.width, v_before, bias=released)
        if uses_video
        else nothing,
        audio_before=audio_before,
        auxiliary=_auxiliary(choice, config, (d_a, d_v), d),
        audio_statistics=_audio_statistics(choice, config),
        video_statistics=_video_statistics(config),
        utterance_head=_utterance_head(config),
        video_positions=TimeEncoding(d_v) if choice.positions and uses_video else nothing,
        audio_positions=TimeEncoding(d_a) if choice.positions and uses_audio else nothing,
        transformer=_intermediate(choice, config, d_a, d_v),
        video_after=temporal_convs(d_v, v_after, bias=released) if uses_video else nothing,
        audio_after=temporal_convs(d_a, a_after, padding=padding, pool=pool, bias=released)
        if uses_audio
        else nothing,
        self_attention=_self_attention(choice, config, d),
        cross_attention=_cross_attention(choice, config, d),
        video_pool=pooling.pooling(choice.pooling if uses_video else "max", d),
        audio_pool=pooling.pooling(choice.pooling if uses_audio else "max", d),
        head=_head(choice, config, d),
    )


def _auxiliary(choice: Variant, config: ModelConfig, before: tuple[int, int], d: int) -> nn.Module:
    """Heads on both streams at the last step before they are fused."""
    if not choice.auxiliary:
        return experts.NoExpert()
    d_a, d_v = before if choice.intermediate != "none" else (d, d)
    return experts.AuxiliaryHeads(d_a, d_v, config.n_labels, dropout=config.dropout)


def _audio_statistics(choice: Variant, config: ModelConfig) -> nn.Module:
    if not config.pitch:
        return experts.NoExpert()
    level_norm = choice.audio_norm == "level"
    return AudioStatisticsHead(config.audio_dim, config.n_labels, level_norm=level_norm)


def _video_statistics(config: ModelConfig) -> nn.Module:
    if not config.n_segments:
        return experts.NoExpert()
    return VideoStatisticsHead(
        config.video_dim - config.utterance_features,
        config.n_labels,
        n_segments=config.n_segments,
        probabilities=config.probabilities,
    )


def _utterance_head(config: ModelConfig) -> nn.Module:
    if not config.utterance_features:
        return experts.NoExpert()
    return experts.UtteranceHead(config.utterance_features, config.n_labels)


def _check(name: str, choice: Variant, config: ModelConfig) -> None:
    action = f"build the network {name!r}"
    d_v = config.video_widths[len(config.video_widths) // 2 - 1]
    d_a, d = config.audio_widths[len(config.audio_widths) // 2 - 1], config.audio_widths[-1]
    if choice.heads < 1 or any(width % choice.heads for width in (d_v, d_a, d)):
        raise ConfigError(
            action,
            f"{choice.heads} heads for tokens {d_v}, {d_a} and {d} wide",
            "give heads that divide the widths",
        )
    if name.startswith("no_") and config.video != "pixels":
        raise ConfigError(action, "it removes a part of the pixel front end", "give video='pixels'")
    if choice.auxiliary and choice.streams != "both":
        raise ConfigError(action, "auxiliary heads on a single branch", "leave auxiliary out")
    has_experts = choice.fusion in ("late", "product")
    if has_experts and not choice.auxiliary:
        found = f"fusion {choice.fusion!r} without auxiliary heads"
        raise ConfigError(action, found, "give auxiliary=True")
    if config.utterance_features and not has_experts:
        raise ConfigError(
            action,
            f"{config.utterance_features} utterance features without a product of experts",
            "give utterance_features=0",
        )
    if config.n_segments and not has_experts:
        found = f"n_segments {config.n_segments} without a product of experts"
        raise ConfigError(action, found, "give n_segments=0")
    if config.pitch and not has_experts:
        raise ConfigError(action, "pitch without a product of experts", "give audio='logmel'")


def _halves(widths: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    middle = len(widths) // 2
    return widths[:middle], widths[middle:]


def _audio_frontend(choice: Variant, config: ModelConfig) -> AudioFeatures:
    return AudioFeatures(
        config.audio_dim,
        norm=choice.audio_norm,
        n_left_out=PITCH_ROWS if config.pitch else 0,
        stride=config.audio_stride,
    )


def _video_frontend(choice: Variant, config: ModelConfig) -> VideoPixels | VideoFeatures:
    if config.video == "features":
        return VideoFeatures(
            config.video_dim,
            config.video_widths[0],
            probabilities=config.probabilities,
            utterance_features=config.utterance_features,
        )
    sizes = {**choice.trunk, **config.trunk, "channels": config.channels}
    if "units" in sizes:
        sizes["units"] = tuple(sizes["units"])
    try:
        return VideoPixels(VideoTrunk(**sizes))
    except TypeError as error:
        raise ConfigError("build the video trunk", str(error), "correct trunk") from None


def _intermediate(choice: Variant, config: ModelConfig, d_a: int, d_v: int) -> nn.Module:
    if choice.intermediate == "none" or choice.streams != "both":
        return PassThrough()
    if choice.intermediate == "attention":
        return IntermediateAttention(d_a, d_v, heads=choice.heads)
    return TransformerBlocks(_block(choice, config, d_a, d_v), _block(choice, config, d_v, d_a))


def _block(choice: Variant, config: ModelConfig, d_query: int, d_key: int) -> TransformerBlock:
    return TransformerBlock(
        d_query,
        d_key,
        heads=choice.heads,
        mlp_ratio=config.mlp_ratio,
        residual=choice.residual,
        dropout=config.dropout,
    )


def _self_attention(choice: Variant, config: ModelConfig, d: int) -> nn.Module:
    heads, dropout = choice.heads, config.dropout
    if choice.late == "shared_self":
        return SharedSelfAttention(d, heads=heads, dropout=dropout)
    if choice.late != "self_cross":
        return PassThrough()
    norm = choice.residual
    return SelfAttentions(
        SelfAttention(d, heads=heads, norm=norm, dropout=dropout),
        SelfAttention(d, heads=heads, norm=norm, dropout=dropout),
    )


def _cross_attention(choice: Variant, config: ModelConfig, d: int) -> nn.Module:
    if choice.late == "transformer":
        return LateTransformer(_block(choice, config, d, d), _block(choice, config, d, d))
    if choice.late != "self_cross":
        return PassThrough()
    heads, norm, dropout = choice.heads, choice.residual, config.dropout
    return CrossAttentions(
        CrossAttention(d, heads=heads, norm=norm, dropout=dropout),
        CrossAttention(d, heads=heads, norm=norm, dropout=dropout),
        residual=choice.residual,
    )


def _head(choice: Variant, config: ModelConfig, d: int) -> nn.Module:
    kinds: dict[str, type[nn.Module]] = {
        "sum": head.Sum,
        "concatenation": head.Concatenation,
        "gated": head.Gated,
        "mean_posterior": head.MeanPosterior,
    }
    if choice.streams == "audio":
        return head.AudioOnly(d, config.n_labels)
    if choice.streams == "video":
        return head.VideoOnly(d, config.n_labels)
    if choice.fusion == "product":
        return head.Product(config.audio_weight)
    if choice.fusion == "late":
        return head.Late(d, config.n_labels, config.audio_weight)
    return kinds[choice.fusion](d, config.n_labels)
