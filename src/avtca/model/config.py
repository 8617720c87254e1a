"""Sizes of a network and the card of a checkpoint; plain values, no PyTorch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from avtca.clipspec import PITCH_ROWS, ClipSpec
from avtca.compat import upgrade
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
    video: Literal["pixels", "features"] = "pixels"
    """What a video step holds: a face crop, or a feature vector."""
    video_dim: int = 0
    """Length of the feature vector (features only)."""
    probabilities: int = 0
    """How many of the video features, the first ones, are probabilities: the network then sees
    their logarithms too (features only)."""
    utterance_features: int = 0
    """How many of the video features, the last ones, say the same at every step of a sample (its
    mean action units): an expert of their own reads them, the sequence goes on without them
    (features only, with fusion "late" or "product")."""
    n_segments: int = 0
    """Into how many equal parts of a window an expert of its own divides the other video features,
    to read their means beside those of the whole; 0 for no such expert (features only, with fusion
    "late" or "product")."""
    channels: int = 3
    """3 for RGB crops, 1 for luma (pixels only)."""
    trunk: dict[str, Any] = field(default_factory=dict)
    """Arguments of :class:`~avtca.model.video_trunk.VideoTrunk` that differ from the
    variant's (pixels only)."""
    audio_dim: int = 10
    """MFCCs, mel bands or features of an audio step."""
    pitch: bool = False
    """Whether the last two of them are pitch and voicing: an expert of their own reads all of
    them, the convolutions go on without these two (with fusion "late" or "product")."""
    audio_stride: int = 1
    """Of how many audio frames the convolutions see one."""
    video_widths: tuple[int, ...] = (64, 64, 128, 128)
    """Convolutions over time of the video branch: the first half before the transformer blocks,
    the second half after them."""
    audio_widths: tuple[int, ...] = (64, 128, 256, 128)
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
    audio_weight: float = 1.0
    """Exponent of the experts that hear (fusion "late" and "product"). Less than one where the
    voices at use are of other languages and studios than those of the training."""
    auxiliary: bool | None = None
    """Heads on each stream alone, before the streams meet."""
    audio_frontend: Literal["conv1d", "conv2d"] | None = None
    """First half of the audio branch: over time as the paper, or over time and frequency."""
    audio_norm: Literal["bands", "level", "none"] | None = None
    """What brings audio features near zero: a batch norm for each, each window's mean level
    (log-mel), or nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "video_widths", tuple(self.video_widths))
        object.__setattr__(self, "audio_widths", tuple(self.audio_widths))
        action = "size a network"
        for name in ("video_widths", "audio_widths"):
            widths = getattr(self, name)
            if len(widths) < 2 or len(widths) % 2 or min(widths) < 1:
                raise ConfigError(
                    action, f"{name} {widths}", "give an even number of positive widths"
                )
        if self.video_widths[-1] != self.audio_widths[-1]:
            raise ConfigError(
                action,
                f"branches end {self.video_widths[-1]} and {self.audio_widths[-1]} wide",
                "give video_widths and audio_widths the same last width",
            )
        if self.video == "features" and self.video_dim < 1:
            raise ConfigError(action, "video='features' without video_dim", "give video_dim")
        if not 0 <= self.probabilities <= self.video_dim:
            raise ConfigError(
                action,
                f"{self.probabilities} probabilities among {self.video_dim} video features",
                "give as many as there are, or 0",
            )
        left = self.video_dim - self.utterance_features
        if self.utterance_features and (
            self.utterance_features < 0 or left < max(1, self.probabilities)
        ):
            raise ConfigError(
                action,
                f"{self.utterance_features} features of whole samples among {self.video_dim} video "
                f"features, of which {self.probabilities} are probabilities",
                "give fewer, or 0",
            )
        if self.n_segments < 0 or (self.n_segments and self.video != "features"):
            raise ConfigError(
                action,
                f"n_segments {self.n_segments} with video={self.video!r}",
                "give 0, or a positive number with video='features'",
            )
        if not 0 <= self.dropout < 1 or self.mlp_ratio <= 0:
            raise ConfigError(
                action,
                f"dropout {self.dropout}, mlp_ratio {self.mlp_ratio}",
                "give a dropout of 0 to less than 1, a positive mlp_ratio",
            )
        if not 0 <= self.audio_weight <= 1:
            raise ConfigError(action, f"audio_weight {self.audio_weight}", "give 0 to 1")
        if self.audio_stride < 1 or (self.pitch and self.audio_dim <= PITCH_ROWS):
            raise ConfigError(
                action,
                f"audio_stride {self.audio_stride}, audio_dim {self.audio_dim}",
                f"give a positive stride, and bands beside the {PITCH_ROWS} rows of pitch",
            )
        if self.n_labels < 1 or self.audio_dim < 1 or self.channels not in (1, 3):
            raise ConfigError(
                action,
                f"n_labels {self.n_labels}, audio_dim {self.audio_dim}, channels {self.channels}",
                "labels and audio_dim must be positive, channels 1 or 3",
            )

    @classmethod
    def for_spec(cls, spec: ClipSpec, **sizes: Any) -> "ModelConfig":
        """The sizes that ``spec`` fixes, with ``sizes`` for the rest."""
        fixed: dict[str, Any] = {
            "n_labels": len(spec.labels),
            "video": spec.video,
            "video_dim": spec.video_dim if spec.video == "features" else 0,
            "channels": spec.channels if spec.video == "pixels" else 3,
            "audio_dim": spec.audio_dim,
            "pitch": spec.pitch,
        }
        return cls(**{**fixed, **sizes})

    def misfits(self, spec: ClipSpec) -> list[str]:
        """One line for each size in which ``spec`` and this network differ."""
        fitting = ModelConfig.for_spec(spec)
        names = ["n_labels", "video", "audio_dim", "pitch"]
        names.append("video_dim" if self.video == "features" else "channels")
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
        values = upgrade(values)
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
