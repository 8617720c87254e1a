"""Sizes of a network and the card of a checkpoint; plain values, no PyTorch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from avtca.clipspec import PITCH_ROWS, ClipSpec
from avtca.errors import ConfigError

FORMAT_VERSION = 1
"""Version of the checkpoint format; raised when a reader of the old one would go wrong."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of a network, and choices that override its variant's.

    Defaults are the paper's released sizes (PAPER.md, "Sizes in the released code"). Fields that
    are ``None`` are the variant's own choice.
    """

    n_labels: int = 8
    """Emotions."""
    visual: Literal["pixels", "features"] = "pixels"
    """What a video step holds: a face crop, or a feature vector."""
    visual_dim: int = 0
    """Length of the feature vector (features only)."""
    probabilities: int = 0
    """How many of the visual features, the first ones, are probabilities: the network then sees
    their logarithms too (features only)."""
    take_features: int = 0
    """How many of the visual features, the last ones, say the same at every step of a take (its
    mean action units): an expert of their own reads them, the sequence goes on without them
    (features only, with fusion "late" or "product")."""
    face_parts: int = 0
    """Into how many equal parts of a window an expert of its own divides the other visual features,
    to read their means beside those of the whole; 0 for no such expert (features only, with fusion
    "late" or "product")."""
    channels: int = 3
    """3 for RGB crops, 1 for luma (pixels only)."""
    trunk: dict[str, Any] = field(default_factory=dict)
    """Arguments of :class:`~avtca.model.video_trunk.VisualTrunk` that differ from the
    variant's (pixels only)."""
    sound_dim: int = 10
    """MFCCs, mel bands or features of a sound step."""
    pitch: bool = False
    """Whether the last two of them are pitch and voicing: an expert of their own reads all of
    them, the convolutions go on without these two (with fusion "late" or "product")."""
    sound_stride: int = 1
    """Of how many sound frames the convolutions see one."""
    visual_widths: tuple[int, ...] = (64, 64, 128, 128)
    """Convolutions over time of the video branch: the first half before the transformer blocks,
    the second half after them."""
    sound_widths: tuple[int, ...] = (64, 128, 256, 128)
    """The same for the audio branch; the last width must be the video's."""
    mlp_ratio: float = 2.0
    """Hidden width of the transformer block's MLP over its width."""
    dropout: float = 0.0
    """On the output of attention and on pooled vectors."""
    late: Literal["self_cross", "shared_self", "transformer", "none"] | None = None
    """What stands between the convolutions and the pooling: steps 6 and 7 of the figure, the
    released code's one shared self attention, the parent's late transformer, or nothing."""
    heads: int | None = None
    """Attention heads."""
    residual: bool | None = None
    """Residual around the attention of transformer blocks and cross attention, and layer norms
    before self and cross attention."""
    positions: bool | None = None
    """Sinusoids of each token's time are added before the first attention."""
    pooling: Literal["max", "mean", "attentive"] | None = None
    """How tokens become one vector."""
    fusion: Literal["sum", "concatenation", "gated", "late", "product"] | None = None
    """How two vectors become logits. "product" adds up the auxiliary heads' log-posteriors instead,
    "late" those and the gated logits; both need ``auxiliary``."""
    sound_trust: float = 1.0
    """Exponent of the experts that hear (fusion "late" and "product"). Less than one where the
    voices at use are of other languages and studios than those of the training."""
    auxiliary: bool | None = None
    """Heads on each stream alone, before the streams meet."""
    sound_front: Literal["conv1d", "conv2d"] | None = None
    """First half of the audio branch: over time as the paper, or over time and frequency."""
    sound_norm: Literal["bands", "level", "none"] | None = None
    """What brings sound features near zero: a batch norm for each, each window's mean level
    (log-mel), or nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "visual_widths", tuple(self.visual_widths))
        object.__setattr__(self, "sound_widths", tuple(self.sound_widths))
        asked = "size a network"
        for name in ("visual_widths", "sound_widths"):
            widths = getattr(self, name)
            if len(widths) < 2 or len(widths) % 2 or min(widths) < 1:
                raise ConfigError(
                    asked, f"{name} {widths}", "give an even number of positive widths"
                )
        if self.visual_widths[-1] != self.sound_widths[-1]:
            raise ConfigError(
                asked,
                f"branches end {self.visual_widths[-1]} and {self.sound_widths[-1]} wide",
                "give visual_widths and sound_widths the same last width",
            )
        if self.visual == "features" and self.visual_dim < 1:
            raise ConfigError(asked, "visual='features' without visual_dim", "give visual_dim")
        if not 0 <= self.probabilities <= self.visual_dim:
            raise ConfigError(
                asked,
                f"{self.probabilities} probabilities among {self.visual_dim} visual features",
                "give as many as there are, or 0",
            )
        left = self.visual_dim - self.take_features
        if self.take_features and (self.take_features < 0 or left < max(1, self.probabilities)):
            raise ConfigError(
                asked,
                f"{self.take_features} features of whole takes among {self.visual_dim} visual "
                f"features, of which {self.probabilities} are probabilities",
                "give fewer, or 0",
            )
        if self.face_parts < 0 or (self.face_parts and self.visual != "features"):
            raise ConfigError(
                asked,
                f"face_parts {self.face_parts} with visual={self.visual!r}",
                "give 0, or a positive number with visual='features'",
            )
        if not 0 <= self.dropout < 1 or self.mlp_ratio <= 0:
            raise ConfigError(
                asked,
                f"dropout {self.dropout}, mlp_ratio {self.mlp_ratio}",
                "give a dropout of 0 to less than 1, a positive mlp_ratio",
            )
        if not 0 <= self.sound_trust <= 1:
            raise ConfigError(asked, f"sound_trust {self.sound_trust}", "give 0 to 1")
        if self.sound_stride < 1 or (self.pitch and self.sound_dim <= PITCH_ROWS):
            raise ConfigError(
                asked,
                f"sound_stride {self.sound_stride}, sound_dim {self.sound_dim}",
                f"give a positive stride, and bands beside the {PITCH_ROWS} rows of pitch",
            )
        if self.n_labels < 1 or self.sound_dim < 1 or self.channels not in (1, 3):
            raise ConfigError(
                asked,
                f"n_labels {self.n_labels}, sound_dim {self.sound_dim}, channels {self.channels}",
                "labels and sound_dim must be positive, channels 1 or 3",
            )

    @classmethod
    def for_spec(cls, spec: ClipSpec, **sizes: Any) -> "ModelConfig":
        """The sizes that ``spec`` fixes, with ``sizes`` for the rest."""
        fixed: dict[str, Any] = {
            "n_labels": len(spec.labels),
            "visual": spec.visual,
            "visual_dim": spec.visual_dim if spec.visual == "features" else 0,
            "channels": spec.channels if spec.visual == "pixels" else 3,
            "sound_dim": spec.sound_dim,
            "pitch": spec.pitch,
        }
        return cls(**{**fixed, **sizes})

    def misfits(self, spec: ClipSpec) -> list[str]:
        """One line for each size in which ``spec`` and this network differ."""
        fitting = ModelConfig.for_spec(spec)
        names = ["n_labels", "visual", "sound_dim", "pitch"]
        names.append("visual_dim" if self.visual == "features" else "channels")
        return [
            f"{name}: network {getattr(self, name)}, ClipSpec {getattr(fitting, name)}"
            for name in names
            if getattr(self, name) != getattr(fitting, name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``None`` fields are left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Inverse of :meth:`to_dict`. Raises :class:`ConfigError` for unknown names."""
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ConfigError(
                "size a network",
                f"unknown sizes {', '.join(unknown)}",
                f"known are {', '.join(sorted(known))}",
            )
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Card:
    """The JSON beside the weights: everything needed to rebuild and judge a network."""

    variant: str
    config: ModelConfig
    clip_spec: ClipSpec
    calibration: dict[str, float] = field(default_factory=lambda: {"temperature": 1.0})
    """``temperature`` divides the logits before softmax."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Where the weights come from: data, code version, seed, command, licences."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """What was measured, on what."""
    weights_sha256: str = ""
    """Of the safetensors file; written by ``save_checkpoint``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotions, in the order of the logits."""
        return self.clip_spec.labels

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format_version": FORMAT_VERSION,
            "variant": self.variant,
            "config": self.config.to_dict(),
            "clip_spec": self.clip_spec.to_dict(),
            "clip_spec_hash": self.clip_spec.hash,
            "labels": list(self.labels),
            "calibration": self.calibration,
            "provenance": self.provenance,
            "metrics": self.metrics,
            "weights_sha256": self.weights_sha256,
        }
