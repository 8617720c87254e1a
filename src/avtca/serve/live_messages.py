"""Messages of the live socket: JSON in both directions, and binary media."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from avtca.errors import AvtcaError
from avtca.recognize.live import EVERY_S, MAX_EVERY_S, MIN_EVERY_S, LiveResult
from avtca.serve.invalid import invalid

AUDIO, PICTURE = 1, 2
"""Kinds of binary messages."""
HEADER_BYTES = 9
"""The kind and the time in microseconds, big-endian."""
SAMPLE_RATE = 16_000
MAX_BLOCK_BYTES = 2 * SAMPLE_RATE
"""A second of audio."""

Code = Literal[
    "bad_message",
    "bad_settings",
    "bad_picture",
    "bad_audio",
    "bad_time",
    "too_large",
    "too_many_sessions",
    "internal",
]


class LiveError(AvtcaError):
    """A message that cannot be used.

    Args:
        code: For programs.
        action: What was attempted.
        problem: What is wrong.
        fix: What to do.
    """

    def __init__(self, code: Code, action: str, problem: str, fix: str) -> None:
        super().__init__(action, problem, fix)
        self.code = code


class Message(BaseModel):
    """A JSON message."""

    model_config = ConfigDict(extra="forbid")


class SessionUpdates(Message):
    """Settings that can change during a session."""

    every_s: float | None = Field(
        default=None,
        ge=MIN_EVERY_S,
        le=MAX_EVERY_S,
        description="Seconds from one result to the next.",
    )
    person: Literal["main", "all"] | None = Field(
        default=None, description="The largest steady face of a window, or each person."
    )


class SessionSettings(Message):
    """Settings of a session."""

    model: str | None = Field(
        default=None, description="A name of /v1/models; the default of the server."
    )
    window_s: float | None = Field(
        default=None, gt=0, description="Seconds of a window; at most and by default the network's."
    )
    every_s: float = Field(
        default=EVERY_S,
        ge=MIN_EVERY_S,
        le=MAX_EVERY_S,
        description="Seconds from result to result.",
    )
    person: Literal["main", "all"] = Field(
        default="main", description="The largest steady face of a window, or each person."
    )
    start_us: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Zero of the session on the client's clock; the time of the first media.",
    )


class SessionCreate(Message):
    """First message of a socket: start a session, or resume one."""

    type: Literal["session.create"]
    session: SessionSettings = Field(default_factory=lambda: SessionSettings())
    session_id: str | None = Field(default=None, max_length=100, description="Session to resume.")


class SessionUpdate(Message):
    """Change settings of the session."""

    type: Literal["session.update"]
    session: SessionUpdates


class Finalize(Message):
    """The recording has ended: score what is left, and close the session."""

    type: Literal["finalize"]


ClientMessage = Annotated[SessionCreate | SessionUpdate | Finalize, Field(discriminator="type")]
_TYPES = ("session.create", "session.update", "finalize")
"""Types of the messages of a client."""
_CLIENT: TypeAdapter[SessionCreate | SessionUpdate | Finalize] = TypeAdapter(ClientMessage)


class Limits(Message):
    """Limits of a session."""

    message_bytes: int
    pixels: int = Field(description="Width times height of a picture.")
    pictures_per_s: float
    session_s: float = Field(description="Longest session.")
    idle_s: float = Field(description="Longest time without a message.")


class Counts(Message):
    """Totals since the start of the session."""

    pictures: int = Field(default=0, description="Pictures that came.")
    audio_blocks: int = Field(default=0, description="Audio messages that came.")
    stale: int = Field(default=0, description="Pictures dropped because newer ones had come.")
    stale_audio: int = Field(
        default=0, description="Audio messages dropped because they came too late."
    )
    over_rate: int = Field(
        default=0, description="Media dropped because there were too many a second."
    )
    bad_pictures: int = 0
    bad_audio: int = 0


class SessionCreated(Message):
    """The session has started, or goes on: media may be sent."""

    type: Literal["session.created"] = "session.created"
    session_id: str = Field(description="Secret with which the session can be resumed.")
    resumed: bool
    resume_s: float = Field(description="Seconds for which a session waits for a new socket.")
    model: str = Field(description="Name and version of the network.")
    labels: list[str]
    thresholds: dict[str, float]
    settings: SessionSettings
    limits: Limits


class SessionUpdated(Message):
    """The settings that are now in force."""

    type: Literal["session.updated"] = "session.updated"
    settings: SessionSettings


class PersonResult(Message):
    """A row of a report's timeline, and whether it can be trusted."""

    model_config = ConfigDict(extra="allow")

    start_s: float = Field(description="Start of the window in seconds of the session.")
    end_s: float
    person: int | None = Field(description="Null where the voice is read without a face.")
    top: str | None
    scores: dict[str, float]
    modalities: list[Literal["face", "voice"]] = Field(
        description="What the scores are read from: the face alone where another person speaks."
    )
    face: float
    voice: float
    box: list[int] | None = Field(description="x0, y0, x1, y1: median over the window.")
    last_box: list[int] | None = Field(description="The newest box in the window.")
    speaking: float | None = Field(
        description="Share of the window in which this person speaks, where several faces are in "
        "view; null where it is undecided."
    )
    sure: bool | None
    sure_from: float | None
    doubts: list[str]


class MeasurementResult(Message):
    """The result of the newest window."""

    type: Literal["measurement.result"] = "measurement.result"
    sequence: int = Field(description="Number of the result, from 0.")
    final: bool = Field(description="Whether the recording ends with this window.")
    start_us: int = Field(description="Start of the window on the client's clock.")
    end_us: int
    people: list[PersonResult]
    picture_us: int | None = Field(description="Time of the newest picture of the window.")
    delay_ms: float = Field(
        description="From the arrival of that picture (without video, of the newest audio) until "
        "this message was sent."
    )
    counts: Counts


class ErrorMessage(Message):
    """A message could not be used, or (fatal) the session ends."""

    type: Literal["error"] = "error"
    code: Code
    fatal: bool
    time_us: int | None = Field(default=None, description="Time of the media message.")
    action: str
    problem: str
    fix: str


class SessionClosed(Message):
    """The last message of a session."""

    type: Literal["session.closed"] = "session.closed"
    session_id: str
    reason: Literal["finalized", "idle", "limit", "shutdown", "replaced"]
    results: int
    counts: Counts


def parse_text(text: str) -> SessionCreate | SessionUpdate | Finalize:
    """A JSON message of a client.

    Raises:
        LiveError: It is none, or has unknown or invalid fields.
    """
    try:
        return _CLIENT.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = tuple(part for part in first["loc"] if part not in _TYPES)
        problem, fix = invalid({**first, "loc": place}, "the message")
        is_setting = "session" in first["loc"]
        code: Code = "bad_settings" if is_setting else "bad_message"
        raise LiveError(code, "read a message", problem, fix) from None


def parse_media(data: bytes) -> tuple[int, int, memoryview]:
    """Kind, time in microseconds and payload of a binary message.

    Raises:
        LiveError: It is too short, or of an unknown kind.
    """
    if len(data) <= HEADER_BYTES or data[0] not in (AUDIO, PICTURE):
        problem = (
            f"it has {len(data)} bytes"
            if len(data) <= HEADER_BYTES
            else f"it is of the unknown kind {data[0]}"
        )
        fix = f"send a kind ({AUDIO} or {PICTURE}), 8 bytes of time, and the payload"
        raise LiveError("bad_message", "read a binary message", problem, fix)
    return data[0], int.from_bytes(data[1:HEADER_BYTES], "big"), memoryview(data)[HEADER_BYTES:]


def decode_audio(payload: memoryview) -> NDArray[np.int16]:
    """Samples ``(n,)`` of a block.

    Raises:
        LiveError: Its length is not that of 1 to 16,000 samples.
    """
    if len(payload) % 2 or len(payload) > MAX_BLOCK_BYTES:
        problem, fix = f"it has {len(payload)} bytes", "send 16-bit samples, at most a second"
        raise LiveError("bad_audio", "read audio", problem, fix)
    return np.frombuffer(payload, "<i2").astype(np.int16)


def result_message(
    result: LiveResult, *, sequence: int, zero_us: int, delay_s: float, counts: Counts
) -> MeasurementResult:
    """The message of a result.

    Args:
        result: The result.
        sequence: Its number.
        zero_us: Zero of the session on the client's clock.
        delay_s: Seconds since the arrival of its newest media.
        counts: Totals of the session.
    """

    def clock(time_s: float) -> int:
        return zero_us + round(1e6 * time_s)

    return MeasurementResult(
        sequence=sequence,
        final=result.final,
        start_us=clock(result.start_s),
        end_us=clock(result.end_s),
        people=[PersonResult.model_validate(row.to_dict()) for row in result.people],
        picture_us=None if result.frame_s is None else clock(result.frame_s),
        delay_ms=round(1000 * delay_s, 1),
        counts=counts.model_copy(),
    )


def error_message(
    error: LiveError, time_us: int | None = None, *, fatal: bool = False
) -> ErrorMessage:
    """The message of an error, which is fatal if the session ends, or cannot start."""
    return ErrorMessage(
        code=error.code,
        fatal=fatal,
        time_us=time_us,
        action=error.action,
        problem=error.problem,
        fix=error.fix,
    )
