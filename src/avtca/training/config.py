"""Settings of a training run: sections of a configuration file, checked before anything runs.

Every key is documented beside its field; docs/configuration.md lists all of them.
"""

import difflib
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from avtca.clipspec import ClipSpec
from avtca.data.augment_config import Augmentation
from avtca.errors import ConfigError
from avtca.labels import SENTIMENT
from avtca.model.config import ModelConfig
from avtca.plugins import is_own, load_own

SET_BY_DATA = (
    "n_labels",
    "video",
    "video_dim",
    "channels",
    "audio_dim",
    "pitch",
    "speech",
    "output",
)
"""Fields of ModelConfig that follow from the ClipSpec (:meth:`ModelConfig.for_spec`) and from the
loss."""


class Section(BaseModel):
    """A section of a configuration: immutable, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DataConfig(Section):
    """The samples, and how they are split."""

    corpus: Path
    """Folder made by ``avtca prepare``, relative to the working directory."""
    prepare: str = Field(default="", exclude=True)
    """Command that makes ``corpus``; shown where it is missing."""
    folds: str
    """Name of packaged folds, path of a folds JSON, ``speakers:K``, ``column:NAME`` of the
    manifest, or ``random_80_20``."""
    fold: int = Field(default=0, ge=0)
    """Fold that ``avtca train`` uses, counted from 0; ``avtca cv`` uses all."""
    labels: tuple[str, ...] = ()
    """Labels of the network; empty for those of the corpus. ``calm`` counts as ``neutral`` where it
    is not listed."""
    target: str = "label"
    """Targets: ``label``, or others of the corpus (CREMA-D: ``both``, the raters' votes; CMU-MOSEI:
    ``multi``, ``sentiment``, ``sentiment7``)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Use only samples whose manifest columns have these values, as ``{channel: speech}``."""
    normalise: Literal["none", "speaker"] = "none"
    """``speaker``: features are normalised to zero mean and unit variance over all unlabelled
    samples of each speaker (expression posteriors as logarithms, pitch over voiced frames). Results
    carry a caveat, since test samples are used."""
    validation: Literal["choose", "train"] = "choose"
    """``choose``: the validation speakers of a fold select the weights that are kept. ``train``:
    they are trained on as well, the last weights are kept (``train.metric: none``), and nothing is
    calibrated."""
    allow_leak: bool = False
    """Train although speakers are in both training and test data; results carry a caveat."""


class InputConfig(Section):
    """Fields of the ClipSpec that differ from those of the prepared corpus.

    Audio features may differ; any other field that the corpus was not prepared with is refused.
    """

    window_s: float | None = Field(default=None, gt=0)
    """Length of a window in seconds."""
    video_steps: int | None = Field(default=None, gt=0)
    """Video steps of a window."""
    video: Literal["pixels", "features"] | None = None
    """Face crops, or features of each video step."""
    crop_px: int | None = Field(default=None, gt=0)
    """Side of a face crop in pixels."""
    colour: Literal["rgb", "grey"] | None = None
    """Colour of face crops."""
    video_features: str | None = None
    """Name of the video features."""
    video_dim: int | None = Field(default=None, gt=0)
    """Number of video features."""
    sample_rate: int | None = Field(default=None, gt=0)
    """Audio samples per second."""
    audio: Literal["mfcc", "logmel", "logmel+pitch", "whisper_base_3", "features"] | None = None
    """Audio features."""
    audio_dim: int | None = Field(default=None, gt=0)
    """Number of audio features per frame."""
    n_fft: int | None = Field(default=None, gt=0)
    """Length of the Fourier transform in audio samples."""
    hop: int | None = Field(default=None, gt=0)
    """Distance of audio frames in audio samples."""
    high_pass: bool | None = None
    """Remove frequencies below 60 Hz before audio features are computed."""

    def over(self, spec: ClipSpec) -> ClipSpec:
        """The corpus's ClipSpec with the fields set here."""
        values = {k: v for k, v in self.model_dump().items() if v is not None}
        return ClipSpec(**{**spec.to_dict(), **values})


class NetworkConfig(Section):
    """The network."""

    variant: str
    """Name of a network, see ``avtca model``; ``package.module:Class`` for one of your own
    (docs/add_a_network.md)."""
    sizes: dict[str, Any] = Field(default_factory=dict)
    """Fields of :class:`~avtca.model.config.ModelConfig`, without those that follow from the
    data."""
    init_from: Path | None = None
    """Checkpoint with the initial weights, relative to the configuration file or to the working
    directory; ``default`` for the packaged network. Tensors of the same name and shape are copied,
    and rows of output layers by label."""
    prepare: str = Field(default="", exclude=True)
    """Command that makes ``init_from``; shown where it is missing."""

    @field_validator("init_from", mode="before")
    @classmethod
    def _resolve_default(cls, value: Any) -> Any:
        from avtca.runtime.bundle import model_path

        return model_path(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        from avtca.model.variants import variant_named

        try:
            if is_own(self.variant):
                load_own(self.variant, "")
            else:
                variant_named(self.variant)
        except ConfigError as error:
            raise ValueError(f"{error.problem}; {error.fix}") from None
        if self.sizes.get("arguments") and not is_own(self.variant):
            raise ValueError(f"sizes.arguments are for networks of your own, not {self.variant}")
        known = {field.name for field in fields(ModelConfig)} - set(SET_BY_DATA)
        wrong = []
        for key, value in self.sizes.items():
            if key in SET_BY_DATA:
                wrong.append(f"sizes.{key} follows from the data; leave it out")
            elif key not in known:
                wrong.append(f"sizes: {unknown_key(key, known)}")
            else:
                wrong += _type_errors(key, value)
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class ModalityDropout(Section):
    """Masks whole modalities in training, so that the network also works with one of them."""

    mode: Literal["none", "whole", "softhard"] = "none"
    """``whole`` masks at most one modality of a sample. ``softhard`` (Chumachenko et al. 2022)
    uses every batch four times: unchanged, with audio scaled by c and video by 1 - c (c uniform in
    0..1 per sample), video only, and audio only."""
    audio: float = Field(default=0.1, ge=0, le=1)
    """Probability that ``whole`` masks the audio of a sample."""
    video: float = Field(default=0.1, ge=0, le=1)
    """Probability that ``whole`` masks the video of a sample."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mode == "whole" and self.audio + self.video == 0:
            raise ValueError("modality dropout 'whole' has no effect with probability 0")
        if self.audio + self.video > 1:
            raise ValueError("audio and video exclude each other; together at most 1")
        return self


class Optimiser(Section):
    """Optimiser and learning rate schedule."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """AdamW does not decay biases, norms and other vectors; the others decay every parameter."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Learning rate after warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD."""
    dampening: float = Field(default=0.0, ge=0, le=1)
    """Dampening of SGD's momentum."""
    clip_norm: float = Field(default=0.0, ge=0)
    """Maximum norm of the gradient; 0 for no clipping."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """``cosine`` decays to 0 at the last epoch; ``step`` multiplies by ``gamma`` after each of
    ``step_epochs``."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs of linear warm-up from 0; fractions are allowed."""
    step_epochs: tuple[int, ...] = ()
    """Epochs of the ``step`` schedule."""
    gamma: float = Field(default=0.1, gt=0, lt=1)
    """Factor of the ``step`` schedule."""


class TrainConfig(Section):
    """Loss, augmentation, optimiser and selection of the weights."""

    epochs: int = Field(default=40, gt=0)
    """Passes over the training samples."""
    batch_size: int = Field(default=32, gt=0)
    """Samples per step, over all processes."""
    seed: int = Field(default=0, ge=0)
    """Seed of ``avtca train``; ``avtca cv`` uses ``seeds``."""
    loss: Literal["cross_entropy", "binary", "l1"] = "cross_entropy"
    """``cross_entropy`` for one label per sample, or soft labels; ``binary`` (a cross-entropy per
    label) where several labels may apply; ``l1``, the mean absolute error, for the values of
    ``data.target: sentiment``."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Label smoothing of ``cross_entropy``."""
    class_weights: bool = False
    """Weight labels inversely to their frequency in the training data; with ``binary``, presence by
    absences over presences of the label."""
    auxiliary_weight: float = Field(default=0.0, ge=0)
    """Weight of the losses of the unimodal heads, in networks that have them."""
    modality_dropout: ModalityDropout = ModalityDropout()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights, which is then validated and
    kept; 0 for none."""
    metric: Literal["accuracy", "uar", "weighted_f1", "macro_f1", "loss", "none"] = "accuracy"
    """Validation metric that selects the epoch whose weights are kept; ``none`` keeps the last."""
    patience: int = Field(default=0, ge=0)
    """Epochs without improvement after which training stops; 0 for no early stopping."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """``auto`` uses a GPU where there is one."""
    workers: int = Field(default=0, ge=0)
    """Processes that make batches; worth it for face crops, not for cached features."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        optimiser = self.optimiser
        if optimiser.schedule == "step":
            if not optimiser.step_epochs:
                raise ValueError("schedule 'step' has no effect without step_epochs")
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
        if self.loss != "cross_entropy" and self.label_smoothing:
            raise ValueError(f"label smoothing is for cross_entropy, not for loss {self.loss!r}")
        if self.loss == "l1" and self.class_weights:
            raise ValueError("class_weights has no effect on loss 'l1', which has no labels")
        return self


class ExperimentConfig(Section):
    """A whole configuration file."""

    name: str = ""
    """Name of the experiment and of its folder under runs/; by default that of the file."""
    data: DataConfig
    input: InputConfig = InputConfig()
    model: NetworkConfig
    train: TrainConfig = TrainConfig()
    seeds: tuple[NonNegativeInt, ...] = Field(default=(0,), min_length=1)
    """Seeds of ``avtca cv``, each with all folds; ``avtca train`` uses ``train.seed``."""

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named twice")
        return seeds

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        target, loss = self.data.target, self.train.loss
        if (target == SENTIMENT) != (loss == "l1"):
            raise ValueError(
                f"data.target {target!r} does not fit train.loss {loss!r}; sentiment (-3 to 3) "
                "needs l1, every other target cross_entropy or binary"
            )
        return self

    @model_validator(mode="after")
    def _check_metric(self) -> Self:
        if self.data.validation == "train" and self.train.metric != "none":
            raise ValueError(
                "data.validation 'train' leaves no validation set for train.metric "
                f"{self.train.metric!r}; set train.metric to none"
            )
        return self

    def resolved(self) -> dict[str, Any]:
        """JSON-serialisable values, with all defaults."""
        return self.model_dump(mode="json")


def unknown_key(key: str, known: set[str]) -> str:
    """Message for an unknown key, with the nearest known one."""
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
    return f"unknown key {key!r}, {hint}"


def _type_errors(key: str, value: Any) -> list[str]:
    """Message for a value of ``model.sizes`` with the wrong type."""
    wanted: Any = get_type_hints(ModelConfig)[key]
    try:
        TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        return [f"sizes.{key} {value!r}: {error.errors()[0]['msg']}"]
    return []


def section_at(path: list[str]) -> type[BaseModel]:
    """The class of the section at a path of keys, as far as it leads through sections."""
    model: type[BaseModel] = ExperimentConfig
    for part in path:
        inner = model.model_fields[part].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model
