"""The description of how media become model input.

A :class:`ClipSpec` is written into every prepared corpus and every checkpoint. Data and
models whose specs differ are refused with the fields that differ, so that training, validation and
use cannot be prepared differently without notice.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from avtca.errors import ClipSpecMismatch
from avtca.text import printable

CHOICES = {
    "video": ("pixels", "features"),
    "colour": ("rgb", "grey"),
    "audio": ("mfcc", "logmel", "logmel+pitch", "whisper_base_3", "features"),
}
"""Values that fields of :class:`ClipSpec` may have."""
HASHED_AS = {
    "video": "visual",
    "video_features": "visual_features",
    "video_dim": "visual_dim",
    "audio": "sound",
    "audio_dim": "sound_dim",
}
"""Fields that are hashed under their names of 0.1, so that hashes in its files stay valid."""
MAX_LABELS, MAX_LABEL = 1000, 100
"""Largest number of labels, and of characters in one."""
MAX_INPUT = 2**26
"""Largest number of values of one stream in a window."""
SPEC_LIMITS = {
    "window_s": (0.05, 600.0),
    "video_steps": (1, 10_000),
    "crop_px": (1, 1024),
    "video_dim": (0, 100_000),
    "sample_rate": (1000, 384_000),
    "audio_dim": (1, 100_000),
    "n_fft": (16, 2**17),
    "hop": (8, 2**17),
}
"""Smallest and largest value of fields of :class:`ClipSpec`."""
POSTERIORS, N_POSTERIORS = "expression7", 7
"""Name prefix of video features that begin with posteriors of seven expressions."""
MIN_PROB = 1e-3
"""Lower bound of such probabilities, applied before taking logarithms."""
PITCH_ROWS = 2
"""Last rows of "logmel+pitch", after the mel bands: pitch and voicing."""
SPEECH = "whisper_base_3"
"""Audio features that are tokens of the packaged speech encoder."""
SPEECH_SIZES = {"sample_rate": 16_000, "audio_dim": 512, "n_fft": 400, "hop": 320}
"""The sizes that these tokens have; a window of them is at most 15 s."""
MAX_SPEECH_S = 15.0


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """Sizes and features that turn media into model input.

    Video is read on a global clock: step ``k`` covers ``[k, k + 1) * window_s / video_steps``
    seconds from the start of the file, so a window's steps are a slice of the file's. Defaults
    are the paper's released sizes (PAPER.md, "Sizes in the released code").
    """

    window_s: float = 3.6
    """Length of a window in seconds."""
    video_steps: int = 15
    """Video steps in a window."""
    video: Literal["pixels", "features"] = "pixels"
    """What a video step holds: a face crop, or a feature vector."""
    crop_px: int = 224
    """Side of the square face crop (pixels only)."""
    colour: Literal["rgb", "grey"] = "rgb"
    """Channels of the crop: RGB in that order, or one channel of luma. Values 0..1."""
    video_features: str = ""
    """Name of the feature, e.g. "expression7", "openface_au" (features only)."""
    video_dim: int = 0
    """Length of the feature vector (features only)."""
    sample_rate: int = 22_050
    """Hz of the mono waveform."""
    audio: Literal["mfcc", "logmel", "logmel+pitch", "whisper_base_3", "features"] = "mfcc"
    """Audio features; "whisper_base_3" for tokens of the packaged speech encoder
    (:mod:`avtca.audio.speech`), "features" for sequences a corpus ships (COVAREP)."""
    audio_dim: int = 10
    """MFCCs, mel bands (and pitch and voicing, two more), or length of the feature vector."""
    n_fft: int = 2048
    """Samples of a Hann analysis window."""
    hop: int = 512
    """Samples between audio frames."""
    high_pass: bool = False
    """Whether frequencies below 60 Hz are removed before audio features are computed. Left out of
    JSON and of the hash where it is False, as in all files of 0.1."""
    labels: tuple[str, ...] = ()
    """Labels, in the order of the network's outputs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "window_s", float(self.window_s))  # 3 and 3.0: one hash
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"ClipSpec.{name} is one of {choices}, found {getattr(self, name)!r}"
                )
        if not isinstance(self.high_pass, bool):
            raise ValueError(f"ClipSpec.high_pass is true or false, found {self.high_pass!r}")
        positive = ("window_s", "video_steps", "sample_rate", "audio_dim", "n_fft", "hop")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"ClipSpec.{name} must be positive, found {getattr(self, name)}")
        if self.video == "features" and (not self.video_features or self.video_dim <= 0):
            raise ValueError("ClipSpec with video='features' needs video_features and video_dim")
        if self.pitch and self.audio_dim <= PITCH_ROWS:
            raise ValueError(
                f"ClipSpec.audio_dim counts mel bands and {PITCH_ROWS} rows of pitch, found "
                f"{self.audio_dim}"
            )
        if self.audio == SPEECH:
            for name, size in SPEECH_SIZES.items():
                if getattr(self, name) != size:
                    found = getattr(self, name)
                    raise ValueError(f"ClipSpec.{name} is {size} for {SPEECH}, found {found}")
            if self.window_s > MAX_SPEECH_S:
                raise ValueError(
                    f"ClipSpec.window_s is at most {MAX_SPEECH_S:g} for {SPEECH}, "
                    f"found {self.window_s:g}"
                )
        if self.video == "pixels" and self.crop_px <= 0:
            raise ValueError(f"ClipSpec.crop_px must be positive, found {self.crop_px}")

    @property
    def video_rate(self) -> float:
        """Video steps a second."""
        return self.video_steps / self.window_s

    @property
    def channels(self) -> int:
        """Channels of a face crop."""
        return 3 if self.colour == "rgb" else 1

    @property
    def window_samples(self) -> int:
        """Samples of the waveform in a window."""
        return round(self.window_s * self.sample_rate)

    @property
    def bands(self) -> int:
        """Mel bands of an audio frame, its first features; 0 where the audio is no log-mel."""
        if self.pitch:
            return self.audio_dim - PITCH_ROWS
        return self.audio_dim if self.audio == "logmel" else 0

    @property
    def pitch(self) -> bool:
        """Whether rows of pitch and voicing follow the mel bands."""
        return self.audio == "logmel+pitch"

    @property
    def audio_steps(self) -> int:
        """Audio frames in a window: centred frames, librosa's convention."""
        return 1 + self.window_samples // self.hop

    @property
    def step_shape(self) -> tuple[int, ...]:
        """Shape of one video step: ``(c, h, w)`` or ``(f,)``."""
        if self.video == "features":
            return (self.video_dim,)
        return (self.channels, self.crop_px, self.crop_px)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        out = asdict(self)
        out["labels"] = list(self.labels)
        if not self.high_pass:
            del out["high_pass"]
        return out

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ClipSpec":
        """Inverse of :meth:`to_dict`; ``ValueError`` names keys that are not fields."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown ClipSpec fields: {', '.join(unknown)}")
        return cls(**values)

    def of_media(self, crop_px: int, colour: str) -> "ClipSpec":
        """The spec of media whose face crops a face network turns into these video features.

        Args:
            crop_px: Side of that network's crops in pixels.
            colour: "rgb" or "grey", the colour of its crops.

        Returns:
            A spec of pixels, without labels.
        """
        return replace(
            self,
            video="pixels",
            crop_px=crop_px,
            colour=colour,  # type: ignore[arg-type]
            video_features="",
            video_dim=0,
            labels=(),
        )

    @property
    def hash(self) -> str:
        """Twelve hex digits that change when any field does."""
        fields_as_hashed = {HASHED_AS.get(name, name): x for name, x in self.to_dict().items()}
        text = json.dumps(fields_as_hashed, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def differences(self, other: "ClipSpec", *, ignore: tuple[str, ...] = ()) -> list[str]:
        """One line for each field that differs: ``"video_steps: 15 against 50"``."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name}: {mine[name]} against {theirs[name]}"
            for name in mine
            if name not in ignore and mine[name] != theirs[name]
        ]

    def require(self, other: "ClipSpec", *, action: str, ignore: tuple[str, ...] = ()) -> None:
        """Raise :class:`ClipSpecMismatch` naming the fields in which ``other`` differs."""
        if different := self.differences(other, ignore=ignore):
            raise ClipSpecMismatch(
                action,
                f"ClipSpec {self.hash} meets {other.hash}: {', '.join(different)}",
                "prepare the data again with the model's ClipSpec (--spec MODEL), or use the model "
                "made for it",
            )


def check_spec(spec: ClipSpec) -> None:
    """Check that a model input has a reasonable size, and usable labels.

    Raises:
        ValueError: If a field is out of its bounds.
    """
    for name, (low, high) in SPEC_LIMITS.items():
        value = getattr(spec, name)
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"clip_spec.{name}: {value!r} is not between {low} and {high}")
        if isinstance(low, int) and not isinstance(value, int):
            raise ValueError(f"clip_spec.{name}: {value!r} is not a whole number")
    video = spec.video_steps * math.prod(spec.step_shape)
    if max(video, spec.audio_steps * spec.audio_dim, spec.window_samples) > MAX_INPUT:
        raise ValueError(f"clip_spec: a window has more than {MAX_INPUT} values")
    labels = spec.labels
    if not 1 <= len(labels) <= MAX_LABELS or len(set(labels)) != len(labels):
        raise ValueError(f"clip_spec.labels: not 1 to {MAX_LABELS} different names")
    for label in labels:
        if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL:
            raise ValueError(f"clip_spec.labels: {str(label)[:MAX_LABEL]!r} is not a name")
        if printable(label) != label:
            raise ValueError(f"clip_spec.labels: {label!r} has control characters")
