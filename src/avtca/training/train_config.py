"""How a network is trained: every number of it, checked together before anything runs."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModalityDropout(Section):
    """Whole modalities taken away while training, so that either alone is enough at use.

    ``whole``: of each sample at most one modality is masked, the audio with probability ``audio``,
    the picture with probability ``video``. ``softhard`` (Chumachenko et al. 2022, their
    ``train.py``): the batch is seen four times, as it is, as (audio * c, picture * (1 - c)), its
    picture alone and its audio alone, ``c`` uniform in 0..1 for each sample.
    """

    mode: Literal["none", "whole", "softhard"] = "none"
    audio: float = Field(default=0.1, ge=0, le=1)
    video: float = Field(default=0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        if self.mode == "whole" and self.audio + self.video == 0:
            raise ValueError("modality dropout 'whole' with probability 0 could never fire")
        if self.audio + self.video > 1:
            raise ValueError("audio and video are of exclusive events; together at most 1")
        return self


class Augmentation(Section):
    """What is varied while training. 0 switches a kind off."""

    crop: bool | Literal["middle"] = True
    """A random window of each sample, audio and picture together; ``middle``: its middle one in every
    epoch, as in the authors' code; false: its first one."""
    crop_slack_s: float = Field(default=0.0, ge=0)
    """How far a window may be moved even where the sample is no longer than a window; what it
    then lacks at the end is masked."""
    speed: float = Field(default=0.0, ge=0, lt=0.5)
    """Speed of a whole sample, picture and audio together: one of five even steps in 1 +- this."""
    waveform: float = Field(default=0.0, ge=0, le=1)
    """Chance of each of room, noise, band limit and codec on the waveform (``WaveAugment``)."""
    gain_db: float = Field(default=0.0, ge=0)
    """Loudness of the waveform, uniform in +- this many dB."""
    channel_db: float = Field(default=0.0, ge=0)
    """Deviation of a smooth curve over mel bands, as of another microphone (log-mel only)."""
    background: float = Field(default=0.0, ge=0, le=1)
    """Chance of a steady background 15 to 50 dB under the loudest mel band (log-mel only)."""
    time_masks: int = Field(default=0, ge=0)
    time_mask_s: float = Field(default=0.25, gt=0)
    """SpecAugment: bars over time, each up to this long."""
    band_masks: int = Field(default=0, ge=0)
    band_mask_share: float = Field(default=0.15, gt=0, le=1)
    """SpecAugment: bars over bands, each up to this share of the bands."""
    step_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a video step is masked."""
    video_noise: float = Field(default=0.0, ge=0)
    """Standard deviation of noise on video features, in units of the feature."""
    posterior_bias: float = Field(default=0.0, ge=0)
    """Deviation of a sample's own shift of the logarithms of expression posteriors (video features
    "expression7")."""
    mixup: float = Field(default=0.0, ge=0)
    """Beta parameter of mixing samples of a batch (both modalities and the label alike)."""
    pixels: bool = False
    """Flip, small rotation, colour and blur of the face crops, one draw for a whole clip."""

    @property
    def touches_waveform(self) -> bool:
        """Whether audio features have to be made anew for each item."""
        return self.waveform > 0 or self.gain_db > 0

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        if self.crop_slack_s and self.crop is not True:
            raise ValueError("crop_slack_s moves a random window, which this crop does not draw")
        return self


class Optimiser(Section):
    """Steps in weight space."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    dampening: float = Field(default=0.0, ge=0, le=1)
    clip_norm: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient; 0 for none."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Linear warm-up from 0."""
    step_epochs: tuple[int, ...] = ()
    """Epochs after which the step schedule multiplies the rate by ``gamma``."""
    gamma: float = Field(default=0.1, gt=0, lt=1)


class TrainConfig(Section):
    """A training run, apart from its data and its network."""

    epochs: int = Field(default=40, gt=0)
    batch_size: int = Field(default=32, gt=0)
    """Takes a step, over all processes."""
    seed: int = Field(default=0, ge=0)
    loss: Literal["cross_entropy", "binary"] = "cross_entropy"
    """``cross_entropy`` on one label or soft labels; ``binary``: several labels may hold."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: bool = False
    """Weights inverse to how often a label occurs in training."""
    auxiliary_weight: float = Field(default=0.0, ge=0)
    """Weight of the loss of each modality's own head, where the network has such heads."""
    modality_dropout: ModalityDropout = ModalityDropout()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay a step of the averaged weights that are validated and kept; 0 for none."""
    metric: Literal["accuracy", "uar", "weighted_f1", "macro_f1", "loss", "none"] = "accuracy"
    """Validation figure by which the best weights are kept; "none" keeps the last ones."""
    patience: int = Field(default=0, ge=0)
    """Epochs without a better metric before training stops; 0 never stops early."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    workers: int = Field(default=0, ge=0)
    """Processes that make batches (pictures need them; cached features do not)."""

    @model_validator(mode="after")
    def _runs(self) -> Self:
        optimiser = self.optimiser
        if optimiser.schedule == "step":
            if not optimiser.step_epochs:
                raise ValueError("schedule 'step' has no step_epochs, so it would never step")
            late = [at for at in optimiser.step_epochs if not 0 < at < self.epochs]
            if late:
                raise ValueError(
                    f"the schedule would never step at epoch {late[0]}: the run has "
                    f"{self.epochs} epochs; choose step_epochs between 1 and {self.epochs - 1}"
                )
        elif optimiser.step_epochs:
            raise ValueError(f"step_epochs has no effect on schedule '{optimiser.schedule}'")
        if optimiser.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warm-up of {optimiser.warmup_epochs:g} epochs never ends in {self.epochs}"
            )
        if len(set(optimiser.step_epochs)) < len(optimiser.step_epochs):
            raise ValueError("step_epochs names an epoch twice")
        if self.augmentation.mixup and self.batch_size == 1:
            raise ValueError("mixup mixes samples of a batch, and batch_size is 1")
        if self.patience and self.metric == "none":
            raise ValueError("patience needs a validation metric")
        if self.loss == "binary" and self.label_smoothing:
            raise ValueError("label smoothing is for cross_entropy, not for loss 'binary'")
        return self
