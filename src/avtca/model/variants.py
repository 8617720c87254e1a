"""The networks of the paper, of its parent work, and ours, by name; plain values, no PyTorch.

A variant is a choice of modules; sizes come from :class:`~avtca.model.config.ModelConfig`.
"""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from avtca.compat import VARIANTS as OLD_NAMES
from avtca.errors import ConfigError
from avtca.model.config import ModelConfig

RELEASED_TRUNK = {"units": (4, 8, 4), "attention_after": "stage2", "local_kind": "depthwise"}
"""EfficientFace, as in the released code."""
FIGURE_TRUNK = {
    "units": (4, 8),
    "attention_after": "stem",
    "local_kind": "depthwise",
    "reduction": 4,
}
"""The figure: attention and local features on the stem's map, two inverted residual blocks."""


@dataclass(frozen=True)
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
    convolutions: bool = True
    """Whether it has steps 1 to 8; without them heads on statistics alone read its input."""
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
    audio_pool: Literal["halve", "slide"] = "halve"


_TABLE_V, _PARTS = "AVT-CA, Table V", "AVT-CA, ablation of the video parts"
_PARENT, _BASELINE = "Chumachenko et al. 2022, released code", "baseline of ours"
_FIGURE: dict[str, Any] = {"intermediate": "transformer", "late": "self_cross"}
_RELEASED: dict[str, Any] = {
    "released_convs": True,
    "audio_norm": "none",
    "audio_pool": "slide",
    "trunk": RELEASED_TRUNK,
    "heads": 1,
    "pooling": "mean",
    "fusion": "concatenation",
}
_EXPERTS: dict[str, Any] = {"fusion": "product", "auxiliary": True, "audio_norm": "level"}
_ATTENTION: dict[str, Any] = {
    "late": "self_cross",
    "residual": True,
    "positions": True,
    "pooling": "attentive",
    "fusion": "late",
}

VARIANTS = {
    "figure": Variant("as drawn in the paper", "AVT-CA, figure", **_FIGURE),
    "released": Variant(
        "the authors' code, exactly",
        "AVT-CA, released code",
        **_RELEASED | {"intermediate": "transformer", "late": "shared_self", "heads": 8},
    ),
    "late_transformer": Variant("parent's 'lt' fusion", _PARENT, **_RELEASED, late="transformer"),
    "intermediate_attention": Variant(
        "parent's 'ia' fusion", _PARENT, **_RELEASED, intermediate="attention"
    ),
    "intermediate_transformer": Variant(
        "parent's 'it' fusion", _PARENT, **_RELEASED, intermediate="transformer"
    ),
    "it1": Variant("step 4 alone, 1 head", _TABLE_V, intermediate="transformer", heads=1),
    "it4": Variant("step 4 alone, 4 heads", _TABLE_V, intermediate="transformer"),
    "ct1": Variant("steps 6 and 7 alone, 1 head", _TABLE_V, late="self_cross", heads=1),
    "ct4": Variant("steps 6 and 7 alone, 4 heads", _TABLE_V, late="self_cross"),
    "it1_ct1": Variant("figure with 1 head", _TABLE_V, **_FIGURE, heads=1),
    "it4_ct4": Variant("figure with 4 heads: the same network as 'figure'", _TABLE_V, **_FIGURE),
    **{
        f"no_{part}": Variant(
            f"figure without {words}", _PARTS, **_FIGURE, trunk={**FIGURE_TRUNK, part: False}
        )
        for part, words in (
            ("channel", "channel attention"),
            ("spatial", "spatial attention"),
            ("local", "the local feature extractor"),
        )
    },
    "audio_only": Variant("audio branch alone", _BASELINE, streams="audio"),
    "video_only": Variant("video branch alone", _BASELINE, streams="video"),
    "concatenation": Variant("pooled vectors concatenated", _BASELINE, fusion="concatenation"),
    "mean_posterior": Variant(
        "mean of two classifiers' posteriors", _BASELINE, fusion="mean_posterior"
    ),
    "experts": Variant("an expert for each stream, product of the experts", "ours", **_EXPERTS),
    "statistics": Variant(
        "linear heads on statistics of each stream, product of the experts",
        "ours",
        convolutions=False,
        fusion="product",
    ),
    "experts_attention": Variant(
        "experts with steps 6 and 7 and a joint head", "ours", **_EXPERTS | _ATTENTION
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
    "audio_pool",
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


def reads(name: str, video: str) -> bool:
    """Whether a variant reads this content of a video step, "pixels" or "features"."""
    if name.startswith("no_"):
        return video == "pixels"
    return video == "features" or variant_named(name).convolutions


def resolved_variant(name: str, config: ModelConfig) -> Variant:
    """A variant with the options that ``config`` overrides.

    Raises:
        ConfigError: For a variant or sizes that do not exist or do not fit together.
    """
    options = {option: getattr(config, option) for option in _OPTIONS}
    choice = replace(
        variant_named(name), **{key: value for key, value in options.items() if value is not None}
    )
    if config.speech and config.audio_norm is None:
        choice = replace(choice, audio_norm="bands")  # tokens are no decibels
    action = f"build the network {name!r}"
    d_v = config.video_widths[len(config.video_widths) // 2 - 1]
    d_a, d = config.audio_widths[len(config.audio_widths) // 2 - 1], config.audio_widths[-1]
    if choice.heads < 1 or any(width % choice.heads for width in (d_v, d_a, d)):
        raise ConfigError(
            action,
            f"{choice.heads} heads for tokens {d_v}, {d_a} and {d} wide",
            "give heads that divide the widths",
        )
    if not reads(name, config.video):
        pixels = name.startswith("no_")
        found = "it removes a part of the pixel front end" if pixels else "it reads video features"
        raise ConfigError(action, found, f"give video={'pixels' if pixels else 'features'!r}")
    if choice.auxiliary and choice.streams != "both":
        raise ConfigError(action, "auxiliary heads on a single branch", "leave auxiliary out")
    has_experts = choice.fusion in ("late", "product")
    if config.output == "linear" and (has_experts or choice.fusion == "mean_posterior"):
        found = "it combines posteriors, and a network that predicts a value has none"
        raise ConfigError(action, found, "choose another network, for example concatenation")
    if not choice.convolutions and (choice.auxiliary or choice.fusion != "product"):
        found = "it has no tokens for auxiliary heads or another fusion than 'product'"
        raise ConfigError(action, found, "leave auxiliary and fusion out")
    if has_experts and choice.convolutions and not choice.auxiliary:
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
    return choice
