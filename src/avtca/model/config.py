"""Sizes of a network and the card of a checkpoint; plain values, no PyTorch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from avtca.clipspec import PITCH_ROWS, SPEECH, ClipSpec
from avtca.errors import ConfigError

Output = Literal["softmax", "sigmoid", "linear"]
"""What logits stand for: probabilities of one label a sample, of several, or a value itself."""
OUTPUT_OF_LOSS: dict[str, Output] = {
    "cross_entropy": "softmax",
    "binary": "sigmoid",
    "l1": "linear",
}
"""``train.loss`` -> output of a network that is trained with it."""
MAX_AUDIO_WEIGHT = 10.0
FORMAT_VERSION = 1
"""Version of the checkpoint format; increased when older versions could not read it correctly."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of a network, and options that override those of its variant.

    Defaults are the sizes of the paper's released code. An option that is ``None`` is the
    variant's choice.
    """

    n_labels: int = 8
    """Number of emotions."""
    video: Literal["pixels", "features"] = "pixels"
    """Content of a video step: a face crop or a feature vector."""
    video_dim: int = 0
    """Length of the feature vector (only with ``video="features"``)."""
    probabilities: int = 0
    """How many of the video features, the first ones, are probabilities, whose logarithms become
    further features (only with ``video="features"``)."""
    utterance_features: int = 0
    """How many of the video features, the last ones, are the same at every step of a sample, e.g.
    its mean action units. An :class:`~avtca.model.experts.UtteranceHead` reads them, the
    convolutions do not (only with ``video="features"`` and fusion "late" or "product")."""
    n_segments: int = 0
    """Segments of a window whose mean video features a
    :class:`~avtca.model.video_statistics.VideoStatisticsHead` reads; 0 for no such expert (only
    with ``video="features"`` and fusion "late" or "product")."""
    channels: int = 3
    """3 for RGB crops, 1 for luma (only with ``video="pixels"``)."""
    trunk: dict[str, Any] = field(default_factory=dict)
    """Arguments of :class:`~avtca.model.video_trunk.VideoTrunk` that differ from the
    variant's (only with ``video="pixels"``)."""
    audio_dim: int = 10
    """Features of an audio frame: MFCCs, mel bands, ..."""
    pitch: bool = False
    """Whether the last two audio features are pitch and voicing. An
    :class:`~avtca.model.audio_statistics.AudioStatisticsHead` reads all features, the convolutions
    all but these two (only with fusion "late" or "product")."""
    speech: bool = False
    """Whether the audio features are tokens of a speech encoder. With fusion "late" or "product" a
    :class:`~avtca.model.experts.MomentsHead` reads them too."""
    audio_stride: int = 1
    """The convolutions read one of this many audio frames."""
    video_widths: tuple[int, ...] = (64, 64, 128, 128)
    """Widths of the convolutions over time in the video branch: the first half of them before
    step 4, the second half after it."""
    audio_widths: tuple[int, ...] = (64, 128, 256, 128)
    """The same for the audio branch; the last width must equal the video branch's."""
    mlp_ratio: float = 2.0
    """Hidden width of the transformer block's MLP over its width."""
    dropout: float = 0.0
    """Dropout on the output of attention and on pooled vectors."""
    late: Literal["self_cross", "shared_self", "transformer", "none"] | None = None
    """Modules between the convolutions and the pooling: steps 6 and 7 of the figure, the released
    code's shared self attention, the parent work's late transformer, or nothing."""
    heads: int | None = None
    """Attention heads."""
    residual: bool | None = None
    """Whether there are residuals around the attention of transformer blocks and cross attention,
    and layer norms before self and cross attention."""
    positions: bool | None = None
    """Whether sinusoids of each token's time are added before the first attention."""
    pooling: Literal["max", "mean", "attentive"] | None = None
    """Pooling of the tokens over time."""
    fusion: Literal["sum", "concatenation", "gated", "late", "product"] | None = None
    """Head that computes logits from the two pooled vectors. "product" is the sum of the experts'
    log-posteriors instead, "late" the sum of those and of "gated"; both need ``auxiliary``."""
    audio_weight: float = 1.0
    """Weight of the audio experts in log-linear pooling (fusion "late" and "product"), 0 to 10; the
    video experts have 1. Less than 1 if speech in use differs from the training data."""
    auxiliary: bool | None = None
    """Whether there are expert heads on each stream before fusion."""
    audio_frontend: Literal["conv1d", "conv2d"] | None = None
    """First half of the audio branch: convolutions over time as in the paper, or over time and
    frequency."""
    audio_norm: Literal["bands", "level", "none"] | None = None
    """Normalisation of audio features: a batch norm for each, subtraction of each window's mean
    level (log-mel), or none."""
    audio_pool: Literal["halve", "slide"] | None = None
    """Max pool over two steps after each convolution of the audio branch: with stride 2, so that
    tokens become few, or with stride 1 as in the released code."""

    output: Output | None = None
    """What the logits stand for; ``None`` for "softmax". It follows from the loss."""
    arguments: dict[str, Any] | None = None
    """Keyword arguments of the class of a user's own network; no network of avtca has any."""

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
                f"{self.utterance_features} utterance features among {self.video_dim} video "
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
        if not 0 <= self.audio_weight <= MAX_AUDIO_WEIGHT:
            fix = f"give 0 to {MAX_AUDIO_WEIGHT:g}"
            raise ConfigError(action, f"audio_weight {self.audio_weight}", fix)
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
        """A configuration for input ``spec``, with ``sizes`` for the fields it does not fix."""
        fixed: dict[str, Any] = {
            "n_labels": len(spec.labels),
            "video": spec.video,
            "video_dim": spec.video_dim if spec.video == "features" else 0,
            "channels": spec.channels if spec.video == "pixels" else 3,
            "audio_dim": spec.audio_dim,
            "pitch": spec.pitch,
            "speech": spec.audio == SPEECH,
        }
        return cls(**{**fixed, **sizes})

    def mismatches(self, spec: ClipSpec) -> list[str]:
        """A line for each size in which ``spec`` and this network differ."""
        fitting = ModelConfig.for_spec(spec)
        names = ["n_labels", "video", "audio_dim", "pitch", "speech"]
        names.append("video_dim" if self.video == "features" else "channels")
        return [
            f"{name}: network {getattr(self, name)}, ClipSpec {getattr(fitting, name)}"
            for name in names
            if getattr(self, name) != getattr(fitting, name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values, without fields that are ``None``."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Inverse of :meth:`to_dict`.

        Raises:
            ConfigError: For unknown fields.
        """
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
    """The JSON file of a checkpoint: what is needed to rebuild and assess a network."""

    variant: str
    config: ModelConfig
    clip_spec: ClipSpec
    calibration: dict[str, float] = field(default_factory=lambda: {"temperature": 1.0})
    """``temperature`` divides the logits before softmax."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Origin of the weights: data, code version, seed, command, licences."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Evaluation results and the data that they were measured on."""
    weights_sha256: str = ""
    """Hash of the safetensors file; written by ``save_checkpoint``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotions, in the order of the logits."""
        return self.clip_spec.labels

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
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
