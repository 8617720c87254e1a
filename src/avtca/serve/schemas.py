"""What the routes answer, for the OpenAPI description."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from avtca.serve.problems import ProblemDetails

Scores = dict[str, float]


class TimelineBody(BaseModel):
    """A person in a window."""

    start_s: float
    end_s: float
    person: int | None = Field(description="Number of the person; null without a face.")
    top: str | None
    scores: Scores
    modalities: list[Literal["face", "voice"]]
    face: float = Field(description="Share of the window with this face.")
    voice: float = Field(description="Share of the window with a voice.")
    box: list[float] | None = Field(description="x0 y0 x1 y1 in pixels of the upright frame.")
    speaking: float | None = Field(
        description="Share of the window in which this person speaks; null where undecided."
    )


class TurnBody(BaseModel):
    """A stretch of speech by one speaker (docs/speaker.md)."""

    start_s: float
    end_s: float
    person: int | None = Field(description="Number of the speaker, null where not in view.")
    visible: bool | None = Field(
        description="Whether the speaker is in view; null where it is undecided who speaks."
    )


class CoverageBody(BaseModel):
    """How much of the recording was decoded, and has a face and a voice: 0 to 1."""

    read: float
    face: float
    voice: float


class ReportBody(BaseModel):
    """A report, as ``avtca predict --format json`` prints it (docs/output.md)."""

    model_config = ConfigDict(extra="allow")

    file: str
    top: str
    confidence: float
    sure: bool | None = Field(description="Whether the confidence reaches its threshold.")
    sure_from: float | None
    streams: Literal["both", "face", "voice", "mixed"]
    scores: Scores
    timeline: list[TimelineBody]
    coverage: CoverageBody
    warnings: list[str]
    model: str
    duration_s: float
    thresholds: dict[str, float]
    speech: list[TurnBody] = Field(description="Who speaks when.")


class ModelBody(BaseModel):
    """A model."""

    name: str
    default: bool
    version: str
    labels: list[str]
    window_s: float
    attention: bool
    thresholds: dict[str, float]


class ModelsBody(BaseModel):
    """The models of the service."""

    models: list[ModelBody]


class JobBody(BaseModel):
    """A job."""

    id: str = Field(description="Random name of the job.")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    name: str = Field(description="Name of the recording.")
    done_s: float = Field(description="Seconds of the recording that were read.")
    duration_s: float | None = Field(description="Seconds in total, where that is known.")
    created: str = Field(description="Time in UTC.")
    expires: str = Field(description="When the job and its result are deleted, in UTC.")
    problem: ProblemDetails | None = Field(description="Why the job failed.")
    model: str = Field(description="Name of the model.")
    person: Literal["main", "all", "speaker"] = Field(description="As it was sent.")
    merge: list[str] = Field(description="Pairs of persons who are one, as they were sent.")


class JobsBody(BaseModel):
    """Jobs of one token, the newest first."""

    jobs: list[JobBody]


class FaceBody(BaseModel):
    """Where a face was."""

    person: int
    time_s: list[float]
    box: list[list[float]]


class WaveformBody(BaseModel):
    """The loudest moment of each 1 / rate seconds, 0 to 1."""

    rate: int
    peaks: list[float]


class TrackBody(BaseModel):
    """Faces by the timestamps of the frames, and the waveform. Times count as in the report."""

    width: int = Field(description="Of the upright frame in pixels, 0 without video.")
    height: int
    step_s: float = Field(description="Seconds of a step; at most one frame of each is read.")
    faces: list[FaceBody]
    waveform: WaveformBody
    frames: list[float] = Field(description="Timestamps of the frames that were read.")


class ReadyBody(BaseModel):
    """The workers of a service that is ready."""

    ready: int
    workers: int
    busy: int
