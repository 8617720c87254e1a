"""Settings of the augmentation of training samples."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from avtca.clipspec import POSTERIORS
from avtca.errors import ConfigError

if TYPE_CHECKING:
    from avtca.data.dataset import EmotionDataset


class Augmentation(BaseModel):
    """Random variation of training samples; 0 switches a kind off."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    crop: bool | Literal["middle"] = True
    """Window of a sample, the same for audio and video. ``true``: at random; ``middle``: in the
    middle, in every epoch; ``false``: at the start."""
    crop_slack_s: float = Field(default=0.0, ge=0)
    """Seconds by which a random window may be shifted even where the sample is no longer than a
    window; what is missing at the end is masked."""
    speed: float = Field(default=0.0, ge=0, lt=0.5)
    """Speed of a whole sample, audio and video: one of five even steps in 1 +- this."""
    waveform: float = Field(default=0.0, ge=0, le=1)
    """Probability of each of room, noise, band limit and codec on the waveform."""
    gain_db: float = Field(default=0.0, ge=0)
    """Gain of the waveform in dB, uniform in +- this."""
    channel_db: float = Field(default=0.0, ge=0)
    """Standard deviation in dB of a smooth curve over the mel bands, as of another microphone
    (log-mel only; nearly free)."""
    background: float = Field(default=0.0, ge=0, le=1)
    """Probability of a steady noise 15 to 50 dB below the loudest mel band (log-mel only; nearly
    free)."""
    step_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a video step is masked."""
    video_noise: float = Field(default=0.0, ge=0)
    """Standard deviation of noise on video features, in units of the feature."""
    posterior_bias: float = Field(default=0.0, ge=0)
    """Standard deviation of a shift of the logarithms of expression posteriors, one per sample
    (video features ``expression7``)."""
    mixup: float = Field(default=0.0, ge=0)
    """Parameter of the beta distribution of mixup (Zhang et al. 2018), which mixes both modalities
    and the targets of two samples of a batch."""
    pixels: bool = False
    """Flip, rotation, colour and blur of face crops, one draw per window."""

    @property
    def touches_waveform(self) -> bool:
        """Whether audio features have to be computed anew for each item."""
        return self.waveform > 0 or self.gain_db > 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.crop_slack_s and self.crop is not True:
            raise ValueError("crop_slack_s has no effect without a random crop")
        return self


def check_augmentation(augmentation: Augmentation, dataset: "EmotionDataset") -> None:
    """Refuse an augmentation that would have no effect on a data set.

    Raises:
        ConfigError: Names the setting and the value that switches it off.
    """
    spec = dataset.spec
    action = "train with this augmentation"
    if augmentation.crop is True and augmentation.crop_slack_s * spec.video_rate < 1:
        longest = max(dataset.durations)
        if dataset.extractor.starts(longest)[-1] == 0:
            raise ConfigError(
                action,
                f"'crop' has no effect: the longest sample has {longest:.2f} s, "
                f"a window {spec.window_s:g} s",
                "set augmentation.crop_slack_s, switch crop off, or use shorter windows",
            )
    if augmentation.touches_waveform and spec.audio == "features":
        raise ConfigError(
            action,
            "'waveform' and 'gain_db' vary a waveform, the corpus ships audio features",
            "set augmentation.waveform and augmentation.gain_db to 0",
        )
    by_band = augmentation.channel_db or augmentation.background
    if by_band and (not spec.bands or dataset.normalisation is not None):
        found = spec.audio if dataset.normalisation is None else "normalised"
        raise ConfigError(
            action,
            f"'channel_db' and 'background' vary mel bands in dB, the samples' audio is {found}",
            "set augmentation.channel_db and augmentation.background to 0",
        )
    if augmentation.video_noise and spec.video != "features":
        raise ConfigError(
            action,
            "'video_noise' varies video features, the ClipSpec holds pixels",
            "set augmentation.video_noise to 0 and use augmentation.pixels",
        )
    if augmentation.posterior_bias and not spec.video_features.startswith(POSTERIORS):
        raise ConfigError(
            action,
            f"'posterior_bias' varies {POSTERIORS}, the video features are "
            f"{spec.video_features or 'pixels'}",
            "set augmentation.posterior_bias to 0",
        )
    if augmentation.posterior_bias and dataset.normalisation is not None:
        raise ConfigError(
            action,
            "'posterior_bias' varies probabilities, the samples are normalised",
            "set augmentation.posterior_bias to 0",
        )
    if augmentation.pixels and spec.video != "pixels":
        raise ConfigError(
            action,
            "'pixels' varies face crops, the ClipSpec holds features",
            "set augmentation.pixels to false",
        )
