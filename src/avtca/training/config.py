"""A training as one YAML file: data, network and recipe, checked together before anything runs."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self, get_type_hints

import yaml
from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from avtca.clipspec import ClipSpec
from avtca.compat import upgrade, upgrade_path
from avtca.errors import ConfigError
from avtca.model.config import ModelConfig
from avtca.training.train_config import Section, TrainConfig

OF_THE_DATA = ("n_labels", "video", "video_dim", "channels", "audio_dim", "pitch")
"""Fields of ModelConfig that :meth:`ModelConfig.for_spec` samples from the ClipSpec."""


class DataConfig(Section):
    """Which samples, and who is kept apart from whom."""

    corpus: Path
    """Folder made by ``avtca prepare``."""
    folds: str
    """Name of folds in the package, a folds JSON, or ``column:NAME`` of the manifest."""
    fold: int = Field(default=0, ge=0)
    """The fold that ``avtca train`` runs; ``avtca cv`` runs all."""
    labels: tuple[str, ...] = ()
    """What the network names; empty for the corpus's own."""
    target: str = "label"
    """Truth to train on: "label", or the corpus's own (CREMA-D "both", CMU-MOSEI "multi")."""
    where: dict[str, str] = Field(default_factory=dict)
    """Only samples whose manifest columns have these values, as ``{channel: speech}``."""
    normalise: Literal["none", "speaker"] = "none"
    """``speaker``: features are standardised over each speaker's own unlabelled samples. A
    protocol of its own: results carry the mark."""
    validation: Literal["choose", "train"] = "choose"
    """``choose``: a fold's validation people choose the weights that are kept. ``train``: they
    are trained on like the others, and the last weights are kept."""
    allow_leak: bool = False
    """Train although the split has people on both sides; results carry the mark."""


class InputConfig(Section):
    """Fields of the ClipSpec that the run asks for; the rest is the prepared corpus's.

    A field that the corpus was prepared without is refused by name.
    """

    window_s: float | None = Field(default=None, gt=0)
    video_steps: int | None = Field(default=None, gt=0)
    video: Literal["pixels", "features"] | None = None
    crop_px: int | None = Field(default=None, gt=0)
    colour: Literal["rgb", "grey"] | None = None
    video_features: str | None = None
    video_dim: int | None = Field(default=None, gt=0)
    sample_rate: int | None = Field(default=None, gt=0)
    audio: Literal["mfcc", "logmel", "logmel+pitch", "features"] | None = None
    audio_dim: int | None = Field(default=None, gt=0)
    n_fft: int | None = Field(default=None, gt=0)
    hop: int | None = Field(default=None, gt=0)

    def over(self, spec: ClipSpec) -> ClipSpec:
        """The corpus's spec with this run's wishes."""
        values = {k: v for k, v in self.model_dump().items() if v is not None}
        return ClipSpec(**{**spec.to_dict(), **values})


class NetworkConfig(Section):
    """The network."""

    variant: str
    """A name of :data:`avtca.model.VARIANTS`."""
    sizes: dict[str, Any] = Field(default_factory=dict)
    """Fields of :class:`~avtca.model.config.ModelConfig`; those that the data fix are not asked."""
    init_from: Path | None = None
    """A checkpoint whose weights of the same names and shapes are started from; ``default``: the
    packaged network."""

    @field_validator("init_from", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        from avtca.runtime.bundle import model_path

        return model_path(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exists(self) -> Self:
        from avtca.model.variants import variant_named

        try:
            variant_named(self.variant)
        except ConfigError as error:
            raise ValueError(f"{error.problem}; {error.fix}") from None
        known = {field.name for field in fields(ModelConfig)} - set(OF_THE_DATA)
        wrong = []
        for key, value in self.sizes.items():
            if key in OF_THE_DATA:
                wrong.append(f"sizes.{key} follows from the data; leave it out")
            elif key not in known:
                wrong.append(f"sizes: {_unknown(key, known)}")
            else:
                wrong += _misfits(key, value)
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class ExperimentConfig(Section):
    """A whole configuration file."""

    name: str = ""
    data: DataConfig
    input: InputConfig = InputConfig()
    model: NetworkConfig
    train: TrainConfig = TrainConfig()
    seeds: tuple[NonNegativeInt, ...] = Field(default=(0,), min_length=1)
    """Seeds of ``avtca cv``; ``avtca train`` uses ``train.seed``."""

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named twice")
        return seeds

    @model_validator(mode="after")
    def _somebody_chooses(self) -> Self:
        if self.data.validation == "train" and self.train.metric != "none":
            raise ValueError(
                f"data.validation 'train' leaves nobody to choose by train.metric "
                f"{self.train.metric!r}; set train.metric to none"
            )
        return self

    def resolved(self) -> dict[str, Any]:
        """Plain values for JSON, defaults written out."""
        return self.model_dump(mode="json")


def load_experiment(path: Path, changes: Sequence[str] = ()) -> ExperimentConfig:
    """Read a YAML file; ``extends: other.yaml`` in it is read first, beside it.

    ``changes`` are ``a.b=value`` with values in YAML. A relative ``data.corpus`` or
    ``model.init_from`` is meant from the working directory. Raises :class:`ConfigError` with all that
    is wrong, and the nearest name for each unknown key.
    """
    values = _read(path, ())
    for change in changes:
        _apply(values, change)
    if not values.get("name"):
        values["name"] = path.stem
    return check_experiment(values, action=f"use the configuration {path}")


def check_experiment(values: Mapping[str, Any], *, action: str) -> ExperimentConfig:
    """An experiment from plain values; see :func:`load_experiment`."""
    try:
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        lines = [_line(item) for item in error.errors()]
        found = lines[0] if len(lines) == 1 else f"{len(lines)} errors: " + "; ".join(lines)
        raise ConfigError(
            action, found, "correct these keys (docs/training.md lists all)"
        ) from None


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    action = f"read the configuration {path}"
    if path.resolve() in seen:
        raise ConfigError(action, "it extends itself", "take out one 'extends'")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(action, error.strerror or str(error), "name a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise ConfigError(action, f"not YAML ({line})", "correct the file") from None
    if not isinstance(values, dict):
        raise ConfigError(action, "it holds no keys", "see configs/ for examples")
    values = dict(upgrade(values, "config"))
    base = values.pop("extends", None)
    if base is None:
        return values
    return _merged(_read(path.parent / str(base), (*seen, path.resolve())), values)


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        out[key] = _merged(old, value) if both and isinstance(old, dict) else value
    return out


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    action = f"--set {change}"
    if not equals or not key:
        raise ConfigError(action, "it is not KEY=VALUE", "write it as train.epochs=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(action, f"{text!r} is not a value", "quote it as in YAML") from None
    *path, last = upgrade_path(key.split("."))
    value = upgrade(value, last)
    at = values
    for part in path:
        inner = at.get(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(action, f"{part!r} is not a group of keys", "name a key inside it")
        at[part] = dict(inner)
        at = at[part]
    at[last] = value


def _line(item: Any) -> str:
    where = [str(part) for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        *outer, key = where
        known = set(_section(outer).model_fields)
        return "".join(f"{part}: " for part in [".".join(outer)] if part) + _unknown(key, known)
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(where)}: {message}" if where else message


def _unknown(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
    return f"unknown key {key!r}, {hint}"


def _misfits(key: str, value: Any) -> list[str]:
    """What is wrong with one of the network's sizes."""
    wanted: Any = get_type_hints(ModelConfig)[key]
    try:
        TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        return [f"sizes.{key} {value!r}: {error.errors()[0]['msg']}"]
    return []


def _section(path: Sequence[str]) -> type[BaseModel]:
    model: type[BaseModel] = ExperimentConfig
    for part in path:
        inner = model.model_fields[part].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model
