"""Checks of a model's card: models may come from others."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from avtca.clipspec import ClipSpec, check_spec

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]
"""A file of the model's own folder."""


class _Section(BaseModel):
    """Other keys are allowed and not read."""

    model_config = ConfigDict(extra="allow")


class Thresholds(_Section):
    """Confidence thresholds by modality."""

    both: Share | None = None
    face: Share | None = None
    voice: Share | None = None


class Calibration(_Section):
    """A card's ``calibration``."""

    temperature: float = Field(ge=1e-3, le=1e3, allow_inf_nan=False)
    sure: Share | Thresholds | None = None


class Files(_Section):
    """A card's ``files``."""

    fusion: FileName
    face: FileName | None = None
    __pydantic_extra__: dict[str, FileName]


class FaceSection(_Section):
    """A card's ``face``."""

    crop_px: int = Field(ge=1, le=1024)
    colour: Literal["rgb", "grey"]


class AttentionSection(_Section):
    """An entry of a card's ``attention``: times of a map's steps, as fractions of the window."""

    query_times: list[Share] = Field(min_length=1, max_length=10_000)
    key_times: list[Share] = Field(min_length=1, max_length=10_000)


class BundleCard(_Section):
    """What avtca reads of an ``avtca.json``."""

    name: str = Field(min_length=1, max_length=200)
    files: Files
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    clip_spec: dict[str, Any]
    calibration: Calibration
    labels: list[str] | None = None
    face: FaceSection | None = None
    attention: dict[str, AttentionSection] = Field(default_factory=dict, max_length=100)


def check_card(card: Any) -> None:
    """Check ``avtca.json`` whole.

    Args:
        card: Its JSON values under today's names.

    Raises:
        ValueError: If a field is missing or out of its bounds; one line.
    """
    try:
        checked = BundleCard.model_validate(card)
        spec = TypeAdapter(ClipSpec).validate_python(ClipSpec.from_dict(checked.clip_spec))
    except ValidationError as error:
        raise ValueError(_one_line(error)) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"clip_spec: {error}") from None
    check_spec(spec)
    if checked.labels is not None and tuple(checked.labels) != spec.labels:
        raise ValueError("labels: not those of clip_spec")


def check_calibration(calibration: Any) -> None:
    """Check the ``calibration`` of a card; ``ValueError`` in one line."""
    try:
        Calibration.model_validate({"temperature": 1.0, **calibration})
    except ValidationError as error:
        raise ValueError(_one_line(error)) from None


def _one_line(error: ValidationError) -> str:
    """The first three problems."""
    problems = [
        f"{'.'.join(map(str, each['loc']))}: {each['msg'][:100]}" for each in error.errors()
    ]
    return ", ".join(problems[:3])
