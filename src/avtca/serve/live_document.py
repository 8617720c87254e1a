"""The AsyncAPI document of the live socket, made from its messages."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from avtca.serve.live_messages import (
    ErrorMessage,
    Finalize,
    MeasurementResult,
    Message,
    SessionClosed,
    SessionCreate,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
)

BINARY = {
    "audio": "The byte 1, the time of the first sample in microseconds (unsigned 64-bit integer, "
    "big-endian), and PCM, signed 16-bit little-endian, 16 kHz, mono, at most a second.",
    "picture": "The byte 2, the time at which it was taken in microseconds (unsigned 64-bit "
    "integer, big-endian, the same clock), and a JPEG of the upright frame.",
}
COUNTS = {
    "pictures": 88,
    "audio_blocks": 293,
    "stale": 3,
    "stale_audio": 0,
    "over_rate": 0,
    "bad_pictures": 1,
    "bad_audio": 0,
}
SETTINGS = {
    "model": "default",
    "window_s": 3.6,
    "every_s": 0.5,
    "person": "main",
    "start_us": None,
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "session.create": {"type": "session.create", "session": {"person": "all"}},
    "session.update": {"type": "session.update", "session": {"every_s": 1.0}},
    "finalize": {"type": "finalize"},
    "session.created": {
        "type": "session.created",
        "session_id": "q2yqzcTzoY5bHk0Ywb1eXJc1pQ1m8m0P",
        "resumed": False,
        "resume_s": 30.0,
        "model": "avtca-7 (88e93f1a)",
        "labels": ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"],
        "thresholds": {"both": 0.8337, "face": 0.8861, "voice": 1.0},
        "settings": SETTINGS,
        "limits": {
            "message_bytes": 1_024_000,
            "pixels": 2_073_600,
            "pictures_per_s": 30.0,
            "session_s": 3600.0,
            "idle_s": 30.0,
        },
    },
    "session.updated": {"type": "session.updated", "settings": {**SETTINGS, "every_s": 1.0}},
    "measurement.result": {
        "type": "measurement.result",
        "sequence": 12,
        "final": False,
        "start_us": 81_312_345,
        "end_us": 84_912_345,
        "people": [
            {
                "start_s": 3.4,
                "end_s": 7.0,
                "person": 0,
                "top": "happy",
                "scores": {
                    "angry": 0.01,
                    "disgust": 0.02,
                    "fear": 0.0,
                    "happy": 0.91,
                    "neutral": 0.04,
                    "sad": 0.01,
                    "surprise": 0.01,
                },
                "modalities": ["face", "voice"],
                "face": 0.972,
                "voice": 0.611,
                "box": [412, 103, 655, 398],
                "last_box": [420, 101, 661, 400],
                "speaking": None,
                "sure": True,
                "sure_from": 0.8337,
                "doubts": [],
            }
        ],
        "picture_us": 84_880_011,
        "delay_ms": 137.5,
        "counts": COUNTS,
    },
    "error": {
        "type": "error",
        "code": "bad_picture",
        "fatal": False,
        "time_us": 84_880_011,
        "action": "read a picture",
        "problem": "it is damaged, or not a JPEG",
        "fix": "send another JPEG",
    },
    "session.closed": {
        "type": "session.closed",
        "session_id": "q2yqzcTzoY5bHk0Ywb1eXJc1pQ1m8m0P",
        "reason": "finalized",
        "results": 13,
        "counts": COUNTS,
    },
}
FROM_CLIENT: tuple[type[Message], ...] = (SessionCreate, SessionUpdate, Finalize)
FROM_SERVER: tuple[type[Message], ...] = (
    SessionCreated,
    SessionUpdated,
    MeasurementResult,
    ErrorMessage,
    SessionClosed,
)


@cache
def asyncapi_document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, as JSON-serialisable values."""
    models = [(model, "validation") for model in FROM_CLIENT]
    models += [(model, "serialization") for model in FROM_SERVER]
    template = "#/components/schemas/{model}"
    _, schema = models_json_schema(models, ref_template=template)  # type: ignore[arg-type]
    messages = {_type(model): _message(model) for model in (*FROM_CLIENT, *FROM_SERVER)}
    for name, text in BINARY.items():
        messages[name] = {
            "name": name,
            "summary": text,
            "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary", "minLength": 10},
        }
    channel = {"$ref": "#/channels/live"}

    def refs(names: list[str]) -> list[dict[str, str]]:
        return [{"$ref": f"#/channels/live/messages/{name}"} for name in names]

    from_client = [*BINARY, *map(_type, FROM_CLIENT)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "avtca live",
            "version": version("avtca"),
            "description": "Pictures and audio in, results out, on one WebSocket (docs/live.md).",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8000", "protocol": "ws"}},
        "channels": {
            "live": {
                "address": "/v1/live",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {"token": {"type": "string"}},
                        }
                    }
                },
            }
        },
        "operations": {
            "fromClient": {
                "action": "receive",
                "channel": channel,
                "summary": "session.create first, then media, and finalize at the end.",
                "messages": refs(from_client),
            },
            "fromServer": {
                "action": "send",
                "channel": channel,
                "summary": "Answers, results, errors, and session.closed at the end.",
                "messages": refs([_type(model) for model in FROM_SERVER]),
            },
        },
        "components": {"messages": messages, "schemas": schema["$defs"]},
    }


def _type(model: type[Message]) -> str:
    """Value of the field ``type``."""
    schema = model.model_json_schema()["properties"]["type"]
    return str(schema["const"])


def _message(model: type[Message]) -> dict[str, Any]:
    name = _type(model)
    return {
        "name": name,
        "summary": (model.__doc__ or "").strip(),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": [{"payload": EXAMPLES[name]}],
    }
